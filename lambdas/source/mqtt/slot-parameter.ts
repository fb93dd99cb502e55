import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { type SlotState, type SlotStore, slotState } from './turn.ts';

const TIMEOUT_MS = 5_000;
const client = new SSMClient({ maxAttempts: 3 });

/** Keeps a slot's state in a parameter of AWS Systems Manager, whose first value is an empty object. */
export function slotParameter(Name: string): SlotStore {
  return {
    async read(): Promise<SlotState | undefined> {
      const { Parameter } = await client.send(new GetParameterCommand({ Name }), {
        abortSignal: AbortSignal.timeout(TIMEOUT_MS),
      });
      return slotState.safeParse(JSON.parse(Parameter?.Value ?? '{}')).data;
    },
    async write(state) {
      const command = new PutParameterCommand({ Name, Value: JSON.stringify(state), Overwrite: true });
      await client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
    },
  };
}

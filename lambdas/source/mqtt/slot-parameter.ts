import { GetParametersCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { INTAKE_STOPPED } from '../../core/intake.ts';
import { type SlotStore, slotState } from './slot.ts';

const TIMEOUT_MS = 5_000;
const MAX_FAILURE_CHARACTERS = 100;
const client = new SSMClient({ maxAttempts: 3 });

/**
 * Keeps a slot's state in a parameter of AWS Systems Manager, whose first value is an empty object.
 *
 * @param intake Name of the parameter in which the control function stops the source.
 */
export function slotParameter(slot: string, intake: string): SlotStore {
  return {
    async read() {
      const { Parameters = [] } = await client.send(new GetParametersCommand({ Names: [slot, intake] }), {
        abortSignal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = (name: string) => Parameters.find(({ Name }) => Name === name)?.Value;
      return {
        state: slotState.safeParse(JSON.parse(text(slot) ?? '{}')).data,
        isStopped: text(intake) === INTAKE_STOPPED,
      };
    },
    async write(state) {
      const { failure } = state;
      const short = { ...state, ...(failure !== undefined && { failure: failure.slice(0, MAX_FAILURE_CHARACTERS) }) };
      // Systems Manager takes `{{` for the name of another parameter.
      const Value = JSON.stringify(short).replaceAll('{{', '{\\u007b');
      await client.send(new PutParameterCommand({ Name: slot, Value, Overwrite: true }), {
        abortSignal: AbortSignal.timeout(TIMEOUT_MS),
      });
    },
  };
}

import { readState, stoppedWithin, type TaskState } from '../core/control.ts';

/** How long a task was paused or stopped. */
export interface StoppedTime {
  /** Milliseconds of a span, both ends in milliseconds since 1970, during which the task did not run. */
  within(from: number, to: number): Promise<number>;
}

/** Age at which a state is read anew. */
const FRESH_MS = 5_000;

/** How long the task was stopped, by the state that the control function keeps. */
export function stoppedTime(
  readText: () => Promise<string | undefined>,
  { now, log }: { readonly now: () => number; readonly log: (entry: object) => void },
): StoppedTime {
  let known: { at: number; state: TaskState } | undefined;
  return {
    async within(from, to) {
      try {
        if (known === undefined || now() - known.at > FRESH_MS)
          known = { at: now(), state: readState(await readText()) };
        return stoppedWithin(known.state, from, to);
      } catch (error) {
        // A message never expires because the state cannot be read.
        log({ event: 'state not read', reason: String(error) });
        return to - from;
      }
    },
  };
}

/** Reads a parameter of AWS Systems Manager. The client is loaded when it is first needed. */
export function parameterText(name: string): () => Promise<string | undefined> {
  let read: Promise<() => Promise<string | undefined>> | undefined;
  return async () => {
    read ??= import('@aws-sdk/client-ssm').then(({ SSMClient, GetParameterCommand }) => {
      const client = new SSMClient({ maxAttempts: 3 });
      return async () => (await client.send(new GetParameterCommand({ Name: name }))).Parameter?.Value;
    });
    return (await read)();
  };
}

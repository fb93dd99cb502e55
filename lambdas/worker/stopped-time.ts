import { readState, readStateText, stoppedMsWithin, type TaskState } from '../core/task-state.ts';

/** How long a task was paused or stopped. */
export interface StoppedTime {
  /** Milliseconds of a span, both ends in milliseconds since 1970, during which the task did not run. */
  within(from: number, to: number): Promise<number>;
}

/**
 * Time for which a state is kept before the next read. A thousand functions then read less than 40 times a second, which is the
 * default quota of GetParameter. A pause that is shorter than this may not be counted.
 */
const STATE_TTL_MS = 30_000;

/**
 * Reads how long the task was stopped from the state that the control function writes.
 *
 * @param readText Reads the text of the state's parameter.
 */
export function stoppedTime(
  readText: () => Promise<string | undefined>,
  { now, log }: { readonly now: () => number; readonly log: (entry: object) => void },
): StoppedTime {
  // A read that failed is kept as well: one call for a batch of old messages, whatever comes of it.
  let known: { readonly at: number; readonly state: TaskState | undefined } | undefined;

  async function read(): Promise<TaskState | undefined> {
    try {
      return readState(await readText());
    } catch (error) {
      log({ event: 'task state not read', reason: String(error) });
      return undefined;
    }
  }

  return {
    async within(from, to) {
      if (known === undefined || now() - known.at > STATE_TTL_MS) known = { at: now(), state: await read() };
      // Without a state no message expires: the whole time counts as stopped.
      return known.state === undefined ? to - from : stoppedMsWithin(known.state, from, to);
    },
  };
}

/**
 * Returns a function that reads the text of a state's parameter, undefined until the control function has written it.
 *
 * @param read Reads a parameter. By default the first call loads the client of AWS Systems Manager.
 */
export function stateText(
  parameter: string,
  read: (name: string) => Promise<string | undefined> = readParameter,
): () => Promise<string | undefined> {
  return () => readStateText(parameter, read);
}

async function readParameter(name: string): Promise<string | undefined> {
  return (await import('./parameter-client.ts')).readParameter(name);
}

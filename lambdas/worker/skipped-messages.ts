import { createHash } from 'node:crypto';
import { readState } from '../core/task-state.ts';
import type { Delivery } from './message.ts';

/** The messages that an operator has skipped. */
export interface SkippedMessages {
  has(id: string): Promise<boolean>;
}

/** Time for which the list is kept before the next read. Only a message that blocks its task is looked up. */
const LIST_TTL_MS = 2_000;

/**
 * Reads the skipped messages from the task's state, which the control function writes.
 *
 * @param readText Reads the text of the state's parameter.
 */
export function skippedMessages(
  readText: () => Promise<string | undefined>,
  { now, log }: { readonly now: () => number; readonly log: (entry: object) => void },
): SkippedMessages {
  let known: { readonly at: number; readonly ids: readonly string[] } | undefined;

  async function read(): Promise<readonly string[]> {
    try {
      return readState(await readText()).skipped;
    } catch (error) {
      // The message goes on blocking the task, and the operator skips it again.
      log({ event: 'skipped messages not read', reason: String(error) });
      return [];
    }
  }

  return {
    async has(id) {
      if (known === undefined || now() - known.at > LIST_TTL_MS) known = { at: now(), ids: await read() };
      return known.ids.includes(id);
    },
  };
}

/** Characters of an id that the task's state keeps. */
const MAX_ID_CHARACTERS = 64;

/** Names a message that blocks its task, the same each time that it is received: its id, else a hash of its body. */
export function blockerId({ message, progress: { envelope } }: Delivery<unknown>): string {
  const id = envelope?.id;
  if (id !== undefined && id.length <= MAX_ID_CHARACTERS) return id;
  return createHash('sha256').update(message.body).digest('hex');
}

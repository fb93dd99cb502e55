import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { type BatchFailure, inTens } from '../../lambdas/buffer/sqs/batches.ts';
import type { StoredMessage } from './letter.ts';
import type { PutBack } from './put-back.ts';

/** A dead letter while its queue lends it. */
export interface LentLetter extends StoredMessage {
  readonly receiptHandle: string;
}

/** A dead-letter queue, and the queue of the task that its letters came from. */
export interface LetterQueue {
  /** Lends up to ten letters for {@link LENT_SECONDS}; none when there is none to lend. */
  receive(): Promise<readonly LentLetter[]>;
  /** Begins the loan of letters anew. */
  keep(letters: readonly LentLetter[]): Promise<void>;
  /** Ends the loan of letters. One that is not given back comes back by itself. */
  giveBack(letters: readonly LentLetter[]): Promise<void>;
  /**
   * Puts letters back into the task's buffer, and deletes those that are stored there.
   *
   * @returns for each whether the task has it again.
   * @throws for a task without a buffer.
   */
  putBack(letters: readonly LentLetter[]): Promise<readonly boolean[]>;
}

export interface LetterQueueOptions {
  readonly api: SqsApi;
  readonly receive: () => Promise<readonly LentLetter[]>;
  readonly deadLetterQueueUrl: string;
  readonly putBack: PutBack;
  /** Hears what could not be done; nothing is lost by it. */
  readonly onNote: (note: string) => void;
}

/** How long letters are lent to whoever reads them. */
export const LENT_SECONDS = 120;
/** A loan that is so old is renewed. */
const RENEWED_AFTER_MS = (LENT_SECONDS * 1000) / 2;
/** So many receives in a row that give nothing new end a scan, whose loans have ended before it. */
const REPEATS_AT_MOST = 5;

export function letterQueue(options: LetterQueueOptions): LetterQueue {
  const { api, receive, deadLetterQueueUrl: QueueUrl, putBack, onNote } = options;

  const noteOf = (what: string) => (failure: BatchFailure) => {
    if (!('code' in failure)) onNote(`${what}: ${failure.reason}`);
    else if (!IS_BACK.test(failure.code ?? '')) onNote(`${what}: ${failure.code}: ${failure.reason}`);
  };

  const lendFor = (letters: readonly LentLetter[], VisibilityTimeout: number, what: string) =>
    inTens(
      letters,
      (entries) =>
        api.changeVisibilityBatch({ QueueUrl, Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout })) }),
      noteOf(what),
    );

  return {
    receive,
    keep: (letters) => lendFor(letters, LENT_SECONDS, 'letters come again before the others are read'),
    giveBack: (letters) => lendFor(letters, 0, `letters come back only within ${LENT_SECONDS} s`),
    async putBack(letters) {
      const stored = await putBack(letters);
      await inTens(
        letters.filter((_, i) => stored[i]),
        (Entries) => api.deleteBatch({ QueueUrl, Entries }),
        noteOf('a letter is in both places, and may be delivered twice'),
      );
      return stored;
    },
  };
}

export interface ScanOptions {
  /** So many letters at most. @default all */
  readonly limit?: number;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** Hears that it ended although there may be more: the queue went on giving what was read already. */
  readonly onRepeats: () => void;
}

/** Lends the letters of a queue, each once, and gives back at its end what is not told to be gone. */
export async function* scan(
  queue: LetterQueue,
  { limit = Number.POSITIVE_INFINITY, now = Date.now, onRepeats }: ScanOptions,
): AsyncGenerator<{
  readonly letters: readonly LentLetter[];
  readonly gone: (letters: readonly LentLetter[]) => void;
}> {
  const lent = new Map<string, { readonly letter: LentLetter; readonly at: number }>();
  const seen = new Set<string>();
  const gone = (letters: readonly LentLetter[]) => {
    for (const { messageId } of letters) lent.delete(messageId);
  };
  const lend = (letters: readonly LentLetter[]) => {
    const at = now();
    for (const letter of letters) lent.set(letter.messageId, { letter, at });
  };
  try {
    for (let repeats = 0; seen.size < limit; ) {
      if (repeats === REPEATS_AT_MOST) return onRepeats();
      const old = [...lent.values()].filter(({ at }) => now() - at > RENEWED_AFTER_MS).map(({ letter }) => letter);
      if (old.length > 0) {
        await queue.keep(old);
        lend(old);
      }
      const received = await queue.receive();
      if (received.length === 0) return;
      lend(received);
      const letters = received.filter(({ messageId }) => !seen.has(messageId)).slice(0, limit - seen.size);
      for (const { messageId } of letters) seen.add(messageId);
      repeats = letters.length === 0 ? repeats + 1 : 0;
      if (letters.length > 0) yield { letters, gone };
    }
  } finally {
    await queue.giveBack([...lent.values()].map(({ letter }) => letter));
  }
}

// Its loan has ended before: it is where it should be.
const IS_BACK = /MessageNotInflight|ReceiptHandleIsInvalid|InvalidParameterValue/;

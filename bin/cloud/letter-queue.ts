import type { SqsApi } from '../../lambdas/buffer/sqs-api.ts';
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
/** DeleteMessageBatch and ChangeMessageVisibilityBatch take so many entries. */
const MAX_ENTRIES = 10;
/** So many receives in a row that give nothing new end a scan: what was passed over comes again after a while. */
const REPEATS_AT_MOST = 5;

export function letterQueue(options: LetterQueueOptions): LetterQueue {
  const { api, receive, deadLetterQueueUrl: QueueUrl, putBack, onNote } = options;

  async function inTens(
    letters: readonly LentLetter[],
    what: string,
    call: (entries: { Id: string; ReceiptHandle: string }[]) => Promise<{ Failed?: Failure[] | undefined }>,
  ): Promise<void> {
    for (let from = 0; from < letters.length; from += MAX_ENTRIES) {
      const some = letters.slice(from, from + MAX_ENTRIES);
      try {
        const { Failed = [] } = await call(
          some.map((letter, i) => ({ Id: String(i), ReceiptHandle: letter.receiptHandle })),
        );
        for (const { Code, Message } of Failed) if (!IS_BACK.test(Code ?? '')) onNote(`${what}: ${Code}: ${Message}`);
      } catch (error) {
        onNote(`${what}: ${String(error)}`);
      }
    }
  }

  return {
    receive,
    giveBack: (letters) =>
      inTens(letters, `letters come back only within ${LENT_SECONDS} s`, (entries) =>
        api.changeVisibilityBatch({ QueueUrl, Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout: 0 })) }),
      ),
    async putBack(letters) {
      const stored = await putBack(letters);
      await inTens(
        letters.filter((_, i) => stored[i]),
        'a letter is in both places, and may be delivered twice',
        (Entries) => api.deleteBatch({ QueueUrl, Entries }),
      );
      return stored;
    },
  };
}

/**
 * Lends the letters of a queue, each once, and gives back at its end what is not told to be gone.
 *
 * @param limit So many letters at most.
 */
export async function* scan(
  queue: LetterQueue,
  limit: number,
): AsyncGenerator<{
  readonly letters: readonly LentLetter[];
  readonly gone: (letters: readonly LentLetter[]) => void;
}> {
  const lent = new Map<string, LentLetter>();
  const seen = new Set<string>();
  const gone = (letters: readonly LentLetter[]) => {
    for (const { messageId } of letters) lent.delete(messageId);
  };
  try {
    for (let repeats = 0; repeats < REPEATS_AT_MOST && seen.size < limit; ) {
      const received = await queue.receive();
      if (received.length === 0) return;
      for (const letter of received) lent.set(letter.messageId, letter);
      const letters = received.filter(({ messageId }) => !seen.has(messageId)).slice(0, limit - seen.size);
      for (const { messageId } of letters) seen.add(messageId);
      repeats = letters.length === 0 ? repeats + 1 : 0;
      if (letters.length > 0) yield { letters, gone };
    }
  } finally {
    await queue.giveBack([...lent.values()]);
  }
}

interface Failure {
  readonly Code?: string | undefined;
  readonly Message?: string | undefined;
}

// Its loan has ended before: it is where it should be.
const IS_BACK = /MessageNotInflight|ReceiptHandleIsInvalid|InvalidParameterValue/;

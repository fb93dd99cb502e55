import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { type BatchFailure, inTens } from '../../lambdas/buffer/sqs/batches.ts';
import type { StoredMessage } from './dead-letter.ts';
import type { RedriveTarget } from './redrive-target.ts';

/** A dead letter that was received and is hidden from other readers until its visibility timeout ends. */
export interface ReceivedDeadLetter extends StoredMessage {
  readonly receiptHandle: string;
}

/** A dead-letter queue, and the buffer of the task that its messages came from. */
export interface DeadLetterQueue {
  /** Receives up to ten dead letters with a visibility timeout of {@link VISIBILITY_SECONDS}. @returns none if none is visible. */
  receive(): Promise<readonly ReceivedDeadLetter[]>;
  /** Restarts the visibility timeout of received dead letters. */
  extend(deadLetters: readonly ReceivedDeadLetter[]): Promise<void>;
  /** Makes received dead letters visible again. One that is not released becomes visible when its visibility timeout ends. */
  release(deadLetters: readonly ReceivedDeadLetter[]): Promise<void>;
  /**
   * Stores dead letters in the task's buffer, and deletes those that are stored there.
   *
   * @returns for each dead letter, in order, whether the buffer has it.
   * @throws for a task without a buffer.
   */
  redrive(deadLetters: readonly ReceivedDeadLetter[]): Promise<readonly boolean[]>;
}

export interface DeadLetterQueueOptions {
  readonly api: SqsApi;
  readonly receive: () => Promise<readonly ReceivedDeadLetter[]>;
  readonly deadLetterQueueUrl: string;
  readonly target: RedriveTarget;
  /** Called with each failure. No message is lost by it. */
  readonly onNote: (note: string) => void;
}

/** Visibility timeout of dead letters while a command reads them. */
export const VISIBILITY_SECONDS = 120;
const EXTEND_AFTER_MS = (VISIBILITY_SECONDS * 1000) / 2;
/** Receives in a row without a new message that end a scan: earlier messages have become visible again. */
const MAX_REPEATS = 5;

export function openDeadLetterQueue(options: DeadLetterQueueOptions): DeadLetterQueue {
  const { api, receive, deadLetterQueueUrl: QueueUrl, target, onNote } = options;

  const noteOf = (what: string) => (failure: BatchFailure) => {
    if (!('code' in failure)) onNote(`${what}: ${failure.reason}`);
    else if (!IS_VISIBLE.test(failure.code ?? '')) onNote(`${what}: ${failure.code}: ${failure.reason}`);
  };

  const changeVisibility = (deadLetters: readonly ReceivedDeadLetter[], VisibilityTimeout: number, what: string) =>
    inTens(
      deadLetters,
      (entries) =>
        api.changeVisibilityBatch({ QueueUrl, Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout })) }),
      noteOf(what),
    );

  return {
    receive,
    extend: (deadLetters) =>
      changeVisibility(
        deadLetters,
        VISIBILITY_SECONDS,
        'visibility timeout not extended; some dead letters may be received twice',
      ),
    release: (deadLetters) =>
      changeVisibility(
        deadLetters,
        0,
        `dead letters not released; they become visible again within ${VISIBILITY_SECONDS} s`,
      ),
    async redrive(deadLetters) {
      const stored = await target(deadLetters);
      await inTens(
        deadLetters.filter((_, i) => stored[i]),
        (Entries) => api.deleteBatch({ QueueUrl, Entries }),
        noteOf('redriven, but not deleted from the dead-letter queue; the message may be delivered twice'),
      );
      return stored;
    },
  };
}

export interface ScanOptions {
  /** Largest number of dead letters to read. @default all */
  readonly limit?: number;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** Called if the scan ends because the queue keeps returning messages that were read already: there may be others. */
  readonly onRepeats: () => void;
}

/**
 * Reads the dead letters of a queue, each once, and releases them at its end. `deleted` takes those that the caller has deleted:
 * they are not released.
 */
export async function* scan(
  queue: DeadLetterQueue,
  { limit = Number.POSITIVE_INFINITY, now = Date.now, onRepeats }: ScanOptions,
): AsyncGenerator<{
  readonly deadLetters: readonly ReceivedDeadLetter[];
  readonly deleted: (deadLetters: readonly ReceivedDeadLetter[]) => void;
}> {
  const hidden = new Map<string, { readonly deadLetter: ReceivedDeadLetter; readonly since: number }>();
  const seen = new Set<string>();
  const deleted = (deadLetters: readonly ReceivedDeadLetter[]) => {
    for (const { messageId } of deadLetters) hidden.delete(messageId);
  };
  const hide = (deadLetters: readonly ReceivedDeadLetter[]) => {
    const since = now();
    for (const deadLetter of deadLetters) hidden.set(deadLetter.messageId, { deadLetter, since });
  };
  try {
    for (let repeats = 0; seen.size < limit; ) {
      if (repeats === MAX_REPEATS) return onRepeats();
      const due = [...hidden.values()].filter(({ since }) => now() - since > EXTEND_AFTER_MS);
      if (due.length > 0) {
        const deadLetters = due.map(({ deadLetter }) => deadLetter);
        await queue.extend(deadLetters);
        hide(deadLetters);
      }
      const received = await queue.receive();
      if (received.length === 0) return;
      hide(received);
      const deadLetters = received.filter(({ messageId }) => !seen.has(messageId)).slice(0, limit - seen.size);
      for (const { messageId } of deadLetters) seen.add(messageId);
      repeats = deadLetters.length === 0 ? repeats + 1 : 0;
      if (deadLetters.length > 0) yield { deadLetters, deleted };
    }
  } finally {
    await queue.release([...hidden.values()].map(({ deadLetter }) => deadLetter));
  }
}

// SQS refuses to change the visibility of a message whose visibility timeout has ended: it is visible already.
const IS_VISIBLE = /MessageNotInflight|ReceiptHandleIsInvalid|InvalidParameterValue/;

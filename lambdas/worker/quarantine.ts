import type { BufferMessage } from './message.ts';

/** A message received this often may be what stops the function: no report returned it to the queue. */
const SUSPECT_AFTER_RECEIVES = 3;
/** Times the function's timeout. A message that the function was started with is visible again after this time. */
const STARTED_VISIBILITY = 1.5;
/** Times the function's timeout: by then a message that the function was started with has been received again. */
const STARTED_GAP = 2;
/** Times the function's timeout: the same for the first receive, whose visibility timeout is the queue's (six times, and the batching window). */
const FIRST_GAP = 7;

/** The moment at which the function starts on a batch. */
export interface Start {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Milliseconds after which Lambda stops the function. */
  readonly timeoutMs: number;
}

/** A batch divided by what may have stopped the function. */
export interface Division {
  /** Processed now. */
  readonly taken: readonly BufferMessage[];
  /** Requeued before anything is processed, so that a crash now does not count against them. */
  readonly leaving: readonly BufferMessage[];
  /** The one message taken has stopped the function each time that it was processed alone. */
  readonly isCrashing: boolean;
}

/**
 * Quarantines poison-message suspects: each one goes to the retry queue, is processed alone from there, and is dead-lettered as
 * CRASHED once it stops the function there, too. A buffer that counts no receives quarantines nothing.
 */
export function divide(messages: readonly BufferMessage[], start: Start): Division {
  const alone = messages.find(({ isSuspect }) => isSuspect);
  const leaves = (message: BufferMessage) => (alone === undefined ? isCrashLoop(message, start) : message !== alone);
  const leaving = messages.filter(leaves);
  return {
    taken: leaving.length === 0 ? messages : messages.filter((message) => !leaves(message)),
    leaving,
    isCrashing: alone !== undefined && isCrashLoop(alone, start),
  };
}

/** Whether a message that leaves the batch is to be processed alone. */
export function isSuspect(message: BufferMessage, start: Start): boolean {
  return message.isSuspect === true || isCrashLoop(message, start);
}

/** Whether the message's visibility is shortened before it is processed, so that a crash shows in the time until the next receive. */
export function isWatched({ isSuspect = false, receiveCount = 0 }: BufferMessage): boolean {
  return isSuspect || receiveCount > 1;
}

export function watchedVisibilitySeconds({ timeoutMs }: Start): number {
  return Math.ceil((STARTED_VISIBILITY * timeoutMs) / 1000);
}

/**
 * Whether the function stopped each time that it was started with the message. The count of receives alone proves nothing: a
 * throttled invocation counts, too. But then the message comes back only after the queue's whole visibility timeout.
 */
function isCrashLoop({ receiveCount = 0, firstReceivedAt, isSuspect = false }: BufferMessage, start: Start): boolean {
  if (receiveCount < SUSPECT_AFTER_RECEIVES) return false;
  const gaps = receiveCount - 1;
  const longest = isSuspect ? STARTED_GAP * gaps : FIRST_GAP + STARTED_GAP * (gaps - 1);
  return start.now - (firstReceivedAt ?? start.now) <= longest * start.timeoutMs;
}

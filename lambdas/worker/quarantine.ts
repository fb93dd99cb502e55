import type { BufferMessage } from './message.ts';

/** A message received this often may be what stops the function: no report returned it to the queue. */
const SUSPECT_AFTER_RECEIVES = 3;

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
export function divide(messages: readonly BufferMessage[]): Division {
  const alone = messages.find(({ isSuspect }) => isSuspect);
  const leaves = (message: BufferMessage) => (alone === undefined ? isReceivedOften(message) : message !== alone);
  const leaving = messages.filter(leaves);
  return {
    taken: leaving.length === 0 ? messages : messages.filter((message) => !leaves(message)),
    leaving,
    isCrashing: alone !== undefined && isReceivedOften(alone),
  };
}

/** Whether a message that leaves the batch is to be processed alone. */
export function isSuspect(message: BufferMessage): boolean {
  return message.isSuspect === true || isReceivedOften(message);
}

function isReceivedOften({ receiveCount = 0 }: BufferMessage): boolean {
  return receiveCount >= SUSPECT_AFTER_RECEIVES;
}

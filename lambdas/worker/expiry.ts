import type { Envelope } from '../core/envelope.ts';
import type { BufferMessage } from './worker.ts';

/** How long a task was paused or stopped. */
export interface StoppedTime {
  /** Milliseconds of the span, both ends in milliseconds since 1970, during which the task did not run. */
  within(from: number, to: number): Promise<number>;
}

/** Tells messages whose time is over (row C38); undefined where a task gives them all the time there is. */
export type Expired = (firstSeenAt: number, now: number) => Promise<boolean>;

/**
 * When a message's time began, and its retries': when the rules engine saw it, or when it was redriven. A clock that runs ahead
 * of the buffer's is not believed.
 */
export function firstSeenAt({ firstSeen, sentAt }: BufferMessage, envelope: Envelope | undefined): number {
  return firstSeen ?? Math.min(envelope?.redriven ?? envelope?.timestamp ?? sentAt, sentAt);
}

/** What the task was stopped for is asked only of messages that look too old. */
export function compileExpiry(ttlSeconds: number | undefined, stopped: StoppedTime): Expired | undefined {
  if (ttlSeconds === undefined) return undefined;
  return async (since, now) => {
    const excessMs = now - since - ttlSeconds * 1000;
    return excessMs > 0 && excessMs > (await stopped.within(since, now));
  };
}

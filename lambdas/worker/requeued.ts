import type { OwedChildren } from './children.ts';

/** A message that is to come again: the body is what the buffer held. */
export interface Requeued {
  /** The id that it came by. */
  readonly id: string;
  readonly body: string;
  /** Retries that it will have had when it comes. */
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly firstSeen: number;
  /** Which of its children are still owed; all when absent. */
  readonly children?: OwedChildren | undefined;
  /** It may have killed the function, and is to be processed alone. */
  readonly isSuspect?: boolean;
  /** 0 to 900. */
  readonly delaySeconds: number;
}

/** Takes messages that come again. */
export interface RetryQueue {
  /** @returns for each message whether it is safely stored. It never throws. */
  send(messages: readonly Requeued[]): Promise<readonly boolean[]>;
}

/** Attributes of a message on the retry queue. */
export const ATTEMPT = 'ATTEMPT';
export const FIRST_SEEN = 'FIRST_SEEN';
export const CHILDREN = 'CHILDREN';
export const SUSPECT = 'SUSPECT';

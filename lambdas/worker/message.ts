import type { Envelope } from '../core/envelope.ts';
import type { NeverRetry, Stage } from '../core/errors.ts';
import type { ExhaustedRetryCondition } from '../core/retry.ts';

/** A message as its buffer delivered it. */
export interface BufferMessage {
  /** The buffer's id, by which a batch response names it. */
  readonly id: string;
  readonly body: string;
  /** When the buffer received it: milliseconds since 1970. */
  readonly sentAt: number;
  /** Retries that it has had. */
  readonly attempt: number;
  /** When the task first saw it, where the buffer recorded that: milliseconds since 1970. */
  readonly firstSeen?: number | undefined;
  /** Which of its children are still owed; all when absent. */
  readonly children?: OwedChildren | undefined;
  /** How long it has failed so far, where the event source redelivers it in place. */
  readonly failingMs?: number | undefined;
  /** How often the buffer has delivered it, this time included, where the buffer counts that. */
  readonly receiveCount?: number | undefined;
  /** When the buffer first delivered it, where the buffer records that: milliseconds since 1970. */
  readonly firstReceivedAt?: number | undefined;
  /** It may have stopped the function and is processed alone. */
  readonly isSuspect?: boolean | undefined;
  /** How often a stop error has deferred it while no other device had any: see {@link MAX_STOPS}. */
  readonly stops?: number | undefined;
}

/**
 * Stop errors of one message that count for the whole task, if they are all of one device. A further one is a failure
 * of this message, so that no message can open the circuit again and again, or wait for ever. A sink that refuses the messages of several
 * devices cannot be used: their stop errors are never counted against them.
 */
export const MAX_STOPS = 4;

/** Which children of a message are still owed. Child numbers are only valid for the configuration that produced them. */
export interface OwedChildren {
  /** Fingerprint of that configuration. */
  readonly by: string;
  readonly numbers: readonly number[];
}

/** How far a message has come through the pipeline; it stays valid when a stage fails. */
export interface Progress<Request> {
  stage: Stage;
  /** Undefined until the message is decoded. */
  envelope?: Envelope;
  /** One for each record that reached the end of the steps; always the same for the same envelope and configuration. */
  readonly children: Child<Request>[];
  /** Why the message can never be delivered. */
  error?: NeverRetry;
}

export interface Child<Request> {
  readonly id: string;
  readonly request: Request;
}

/** One child of a message, or a message that has none because a stage failed, until its one disposition. */
export interface Delivery<Request> {
  readonly message: BufferMessage;
  readonly progress: Progress<Request>;
  /** Its number among the message's children. */
  readonly child?: number;
  /** It may have stopped the function and is processed alone when it is redelivered. */
  readonly isSuspect?: boolean;
  /** Assigned once, by `dispositionOf`; settlement executes it. */
  disposition?: Disposition;
}

/** Where a delivery goes. */
export type Disposition =
  | { readonly to: 'delivered' }
  /** Tried again with one more attempt. */
  | {
      readonly to: 'retry';
      readonly attempt: number;
      readonly delaySeconds: number;
      readonly reason: string;
      /** A stop error was charged to the message: from now on its stop errors are its own failures. */
      readonly isCharged?: boolean;
    }
  /** Not tried, or not allowed to leave: it waits with the attempts that it has had. */
  | {
      readonly to: 'defer';
      readonly delaySeconds: number;
      readonly reason: string;
      /** The error that blocks the task. If an operator skips the message, it is dead-lettered with this error. */
      readonly blocks?: Blocker;
      /** A stop error deferred it. */
      readonly isStop?: boolean;
    }
  | { readonly to: 'deadLetter'; readonly error: NeverRetry; readonly exhausted: ExhaustedRetryCondition }
  /** Older than the request TTL, and dropped. */
  | { readonly to: 'expired' }
  /** Out of retries, and dropped. */
  | { readonly to: 'dropped' };

/** Why a message may not leave its task. */
export interface Blocker {
  readonly error: NeverRetry;
  readonly exhausted: ExhaustedRetryCondition;
}

/** The result of a batch. `received`, `filtered` and `failed` count messages; the other counts are of their children. */
export interface BatchReport {
  readonly received: number;
  readonly filtered: number;
  readonly delivered: number;
  readonly deadLettered: number;
  /** Dead letters with the code EXPIRED; `deadLettered` counts them, too. */
  readonly expiredDeadLetters: number;
  /** Failed, and to be tried again. */
  readonly retried: number;
  /** To be tried again without having been tried now, or because they may not leave. */
  readonly parked: number;
  /** Expired and dropped. */
  readonly expired: number;
  readonly dropped: number;
  /** Ids of messages that the event source has to redeliver. */
  readonly failed: readonly string[];
  /** Why deliveries failed, first reason first; at most a few. */
  readonly reasons: readonly string[];
  /** Why the task as a whole cannot go on. */
  readonly stop: TaskStop | undefined;
}

/** Why a task cannot go on: its sink cannot be used (the circuit opens), or a message that may not leave blocks it. */
export interface TaskStop {
  readonly kind: 'circuitOpen' | 'blocked';
  readonly cause: string;
  /** All stop errors since the last delivery are of one device's messages, so the fault may be that device's. */
  readonly isOneDevice?: boolean;
  /** The message that blocks the task: its id, or the hash of its body. */
  readonly message?: string;
}

/** Order that a buffer keeps: `relaxed` from batch to batch, `strict` from record to record of a key. */
export type Order = 'relaxed' | 'strict';

/**
 * How a buffer repeats a message: `requeue` stores it again with its attempt and a delay, `redelivery` leaves it in place until
 * the event source delivers it again.
 */
export type RetryMode = 'requeue' | 'redelivery';

/** A message to be tried again; the body is what the buffer held. */
export interface Requeued {
  /** The id of the message that it comes from. */
  readonly id: string;
  readonly body: string;
  /** Retries that it will have had when it is tried again. */
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly firstSeen: number;
  /** Which of its children are still owed; all when absent. */
  readonly children?: OwedChildren | undefined;
  /** It may have stopped the function and is processed alone. */
  readonly isSuspect?: boolean;
  /** How often a stop error has deferred it. */
  readonly stops?: number;
  /** 0 to 900. */
  readonly delaySeconds: number;
}

/** Takes messages that are to be tried again. */
export interface Requeue {
  /**
   * @returns for each message: `stored` in another queue, so that the original can go; `redelivered` by the event source, so that the
   * original has to stay; `failed` to be stored, so that it stays, too. It never throws.
   */
  send(messages: readonly Requeued[]): Promise<readonly RequeueResult[]>;
}

export type RequeueResult = 'stored' | 'redelivered' | 'failed';

/** A message for the dead-letter queue; the body is what the buffer held, so that redrive can send it unchanged. */
export interface DeadLetter {
  readonly body: string;
  readonly error: NeverRetry;
  readonly stage: Stage;
  readonly messageId: string;
  /** Milliseconds since 1970. */
  readonly firstSeen: number;
  readonly retryAttempts: number;
  readonly exhausted: ExhaustedRetryCondition;
  readonly ruleArn: string;
  readonly targetArn: string;
}

/** Takes dead letters. */
export interface DeadLetters {
  /** @returns for each dead letter whether it is stored. It never throws: a message without a stored dead letter stays in the buffer. */
  send(deadLetters: readonly DeadLetter[]): Promise<readonly boolean[]>;
}

/**
 * When a message's time began, and its retries': when the rules engine received it, or when it was redriven. A publisher's
 * clock that runs ahead of the buffer's is not trusted.
 */
export function firstSeenAt({ firstSeen, sentAt }: BufferMessage, envelope: Envelope | undefined): number {
  return firstSeen ?? Math.min(envelope?.redriven ?? envelope?.timestamp ?? sentAt, sentAt);
}

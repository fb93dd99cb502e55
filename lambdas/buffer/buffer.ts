import type { TaskSpec } from '../core/spec.ts';
import type { BatchReport, BufferMessage, Order, Requeue, RetryMode } from '../worker/message.ts';
import type { BufferQueues } from './sqs/queues.ts';

/** What a worker needs to know of the buffer that a batch comes from. One folder beside this file exports each. */
export interface TaskBuffer {
  /** Reads an event of the buffer's event source. */
  receive(event: unknown): ReceivedBatch;
  readonly requeue: Requeue;
  /** The order that the buffer keeps. @default none */
  readonly order?: Order | undefined;
  readonly retryMode: RetryMode;
}

/** A batch as its event source delivered it. */
export interface ReceivedBatch {
  readonly messages: readonly BufferMessage[];
  /** Number of the shard that the batch comes from; absent for a queue. */
  readonly shard?: number;
  /** The control function sent its one message, after a connectivity test that passed. @default false */
  readonly isProbe?: boolean;
  /** Removes messages from the buffer ahead of the response; absent where a buffer cannot. It never throws. */
  readonly remove?: (messages: readonly BufferMessage[]) => Promise<void>;
  /** Makes messages visible again after that time, unless they are removed; absent where a buffer cannot. It never throws. */
  readonly shortenVisibility?: (messages: readonly BufferMessage[], seconds: number) => Promise<void>;
  /** Makes the response that the event source expects. */
  respond(report: BatchReport): Promise<unknown>;
}

/** What a buffer is opened with. */
export interface BufferSetup {
  readonly spec: Pick<TaskSpec, 'buffer'>;
  /** Opens the queues of a buffer in SQS; a task with another buffer has none. @throws InvalidOptionError */
  readonly queues: () => BufferQueues;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

import type { Clock } from './clock.ts';
import type { LambdaFunction } from './lambda-function.ts';
import type { Queue } from './queue.ts';
import { checkWhole, SqsError } from './sqs-error.ts';

export interface MappingOptions extends Omit<LambdaFunction, 'accountId' | 'clock'> {
  readonly queue: Queue;
  /** Records an event holds at most, 1 to 10,000; above 10 it needs a window. Default: 10. */
  readonly batchSize?: number;
  /** How long a batch waits for more, from its first record, 0 to 300. Default: it takes what is there. */
  readonly windowSeconds?: number;
  /** Invocations at a time, 2 to 1,000. Default: 5. */
  readonly maximumConcurrency?: number;
  /** Default: true. */
  readonly enabled?: boolean;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Hears how each invocation went. */
  readonly onInvocation?: (result: InvocationResult) => void;
}

/** How one invocation went. */
export interface InvocationResult {
  readonly requestId: string;
  readonly records: number;
  /** Of the event as JSON. */
  readonly bytes: number;
  readonly durationMs: number;
  /** Messages left to come back when their visibility timeout ends. */
  readonly failedMessageIds: readonly string[];
  /** Why the whole batch failed: what the function threw, its timeout, or an answer Lambda cannot read. */
  readonly error?: unknown;
}

/** Refuses what CreateEventSourceMapping refuses. */
export function checkOptions(options: MappingOptions): void {
  const { queue, batchSize = 10, windowSeconds = 0, maximumConcurrency = 5, functionTimeoutSeconds } = options;
  checkWhole('BatchSize', batchSize, 1, 10_000);
  checkWhole('MaximumBatchingWindowInSeconds', windowSeconds, 0, 300);
  checkWhole('MaximumConcurrency', maximumConcurrency, 2, 1000);
  checkWhole('Timeout', functionTimeoutSeconds, 1, 900);
  if (batchSize > 10 && windowSeconds === 0) {
    const message = `BatchSize is ${batchSize}; above 10 MaximumBatchingWindowInSeconds must be 1 or more`;
    throw new SqsError('InvalidParameterValue', message);
  }
  if (queue.visibilityTimeoutSeconds < functionTimeoutSeconds) {
    const message = `VisibilityTimeout of ${queue.name} is ${queue.visibilityTimeoutSeconds}; expected at least the function's Timeout, ${functionTimeoutSeconds}`;
    throw new SqsError('InvalidParameterValue', message);
  }
}

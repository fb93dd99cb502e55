import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { InvalidOptionError } from '../../../lambdas/core/errors.ts';
import type { Clock } from '../clock.ts';
import type { LambdaFunction } from '../lambda/function.ts';
import { checkWholeNumber } from '../lambda/options.ts';
import type { Queue } from './queue.ts';

/** A mapping's options, with the defaults of CreateEventSourceMapping (AWS Lambda API Reference). */
// biome-ignore lint/suspicious/noConfusingVoidType: as in aws-lambda's SQSHandler
export interface MappingOptions extends LambdaFunction<SQSEvent, SQSBatchResponse | void> {
  readonly queue: Queue;
  /** Most records of an event, 1 to 10,000; more than 10 need a window. @default 10 */
  readonly batchSize?: number;
  /** How long a batch waits for more records after its first one, 0 to 300. @default 0 */
  readonly windowSeconds?: number;
  /** Most concurrent invocations, 2 to 1,000. @default 5 */
  readonly maximumConcurrency?: number;
  /** @default true */
  readonly enabled?: boolean;
  /** @default - the system clock */
  readonly clock?: Clock;
  /** Called after each invocation. */
  readonly onInvocation?: (result: InvocationResult) => void;
}

/** The result of one invocation. */
export interface InvocationResult {
  readonly requestId: string;
  readonly records: number;
  /** Of the event as JSON. */
  readonly bytes: number;
  readonly durationMs: number;
  /** Messages that become visible again when their visibility timeout ends. */
  readonly failedMessageIds: readonly string[];
  /** Why the whole batch failed: the function's error, its timeout, or an invalid batch response. */
  readonly error?: unknown;
}

/** @throws InvalidOptionError for options that CreateEventSourceMapping refuses. */
export function checkOptions(options: MappingOptions): void {
  const { queue, batchSize = 10, windowSeconds = 0, maximumConcurrency = 5, functionTimeoutSeconds } = options;
  checkWholeNumber('batchSize', batchSize, 1, 10_000);
  checkWholeNumber('windowSeconds', windowSeconds, 0, 300);
  checkWholeNumber('maximumConcurrency', maximumConcurrency, 2, 1000);
  checkWholeNumber('functionTimeoutSeconds', functionTimeoutSeconds, 1, 900);
  if (batchSize > 10 && windowSeconds === 0)
    throw new InvalidOptionError(
      'windowSeconds',
      windowSeconds,
      `1 to 300 with a batchSize of ${batchSize}, which is above 10`,
    );
  if (queue.visibilityTimeoutSeconds < functionTimeoutSeconds)
    throw new InvalidOptionError(
      `visibility timeout of ${queue.name}`,
      queue.visibilityTimeoutSeconds,
      `at least the function's timeout, ${functionTimeoutSeconds}`,
    );
}

import type { KinesisClient } from '@aws-sdk/client-kinesis';
import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { type Clock, systemClock } from '../clock.ts';
import type { LambdaFunction } from '../lambda/function.ts';
import { checkWholeNumber } from '../lambda/options.ts';

/**
 * A mapping's options, with the defaults of CreateEventSourceMapping (AWS Lambda, "Lambda parameters for Amazon Kinesis Data
 * Streams event source mappings"). It reads shards from TRIM_HORIZON and retries without limit.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: as in aws-lambda's KinesisStreamHandler
export interface StreamMappingOptions extends LambdaFunction<KinesisStreamEvent, KinesisStreamBatchResponse | void> {
  readonly client: KinesisClient;
  readonly streamName: string;
  readonly streamArn: string;
  /** Most records of an event, 1 to 10,000. @default 100 */
  readonly batchSize?: number;
  /** How long a batch waits for more records after its first one, 0 to 300. @default 0 */
  readonly windowSeconds?: number;
  /** Whether a batch whose invocation failed is retried in two halves. @default false */
  readonly bisectBatchOnFunctionError?: boolean;
  /** @default true */
  readonly enabled?: boolean;
  /** @default - the system clock */
  readonly clock?: Clock;
  /** How long the mapping waits after a read without records. @default 200, the API's limit of five reads a second */
  readonly pollIntervalMs?: number;
  /** Called after each invocation. */
  readonly onInvocation?: (result: StreamInvocationResult) => void;
  /** Called for the first failed API call of an outage. */
  readonly onError: (error: Error) => void;
}

/** The options with all defaults. */
export type StreamMappingSettings = Required<StreamMappingOptions>;

/** The result of one invocation. */
export interface StreamInvocationResult {
  readonly requestId: string;
  readonly shardId: string;
  readonly records: number;
  /** Of the event as JSON. */
  readonly bytes: number;
  readonly durationMs: number;
  /** Records after the checkpoint: the lowest failed one and all that follow. */
  readonly failedSequenceNumbers: readonly string[];
  /** Why the whole batch failed: the function's error, its timeout, or an invalid batch response. */
  readonly error?: unknown;
}

/** Fills in the defaults. @throws InvalidOptionError for options that CreateEventSourceMapping refuses. */
export function readOptions(options: StreamMappingOptions): StreamMappingSettings {
  const settings = {
    ...options,
    batchSize: options.batchSize ?? 100,
    windowSeconds: options.windowSeconds ?? 0,
    bisectBatchOnFunctionError: options.bisectBatchOnFunctionError ?? false,
    enabled: options.enabled ?? true,
    clock: options.clock ?? systemClock,
    pollIntervalMs: options.pollIntervalMs ?? 200,
    onInvocation: options.onInvocation ?? (() => {}),
  };
  checkWholeNumber('batchSize', settings.batchSize, 1, 10_000);
  checkWholeNumber('windowSeconds', settings.windowSeconds, 0, 300);
  checkWholeNumber('functionTimeoutSeconds', settings.functionTimeoutSeconds, 1, 900);
  checkWholeNumber('pollIntervalMs', settings.pollIntervalMs, 1, 60_000);
  return settings;
}

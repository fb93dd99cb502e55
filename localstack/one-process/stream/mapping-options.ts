import type { KinesisClient } from '@aws-sdk/client-kinesis';
import type { Context, KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { type Clock, systemClock } from '../queue/clock.ts';

/**
 * A mapping's options, named as CreateEventSourceMapping has them; their defaults are AWS's (AWS Lambda, "Lambda
 * parameters for Amazon Kinesis Data Streams event source mappings").
 */
export interface StreamMappingOptions {
  readonly client: KinesisClient;
  readonly streamName: string;
  readonly streamArn: string;
  // biome-ignore lint/suspicious/noConfusingVoidType: as in aws-lambda's KinesisStreamHandler
  readonly handler: (event: KinesisStreamEvent, context: Context) => Promise<KinesisStreamBatchResponse | void>;
  readonly functionName: string;
  /** 1 to 900. */
  readonly functionTimeoutSeconds: number;
  readonly region: string;
  /** Records an event holds at most, 1 to 10,000. @default 100 */
  readonly batchSize?: number;
  /** How long a batch waits for more, from its first record, 0 to 300. @default 0: it takes what is there */
  readonly windowSeconds?: number;
  /** Whether a batch whose invocation failed is tried again in two halves. @default false */
  readonly bisectBatchOnFunctionError?: boolean;
  /** @default true */
  readonly enabled?: boolean;
  /** @default the machine's clock */
  readonly clock?: Clock;
  /** How long a shard with nothing to read is left alone. @default 200, the API's limit of five reads a second */
  readonly pollIntervalMs?: number;
  /** Hears how each invocation went. */
  readonly onInvocation?: (result: StreamInvocationResult) => void;
  /** Hears of records given up ({@link RecordsGivenUpError}), and once of an API that fails, until it works again. */
  readonly onError: (error: Error) => void;
}

/** The options with nothing left open. */
export type StreamMappingSettings = Required<StreamMappingOptions>;

/** How one invocation went. */
export interface StreamInvocationResult {
  readonly requestId: string;
  readonly shardId: string;
  readonly records: number;
  /** Of the event as JSON. */
  readonly bytes: number;
  readonly durationMs: number;
  /** Records the checkpoint did not pass: all from the lowest that failed. */
  readonly failedSequenceNumbers: readonly string[];
  /** Why the whole batch failed: what the function threw, its timeout, or an answer Lambda cannot read. */
  readonly error?: unknown;
}

/** Fills in the defaults. @throws RangeError what CreateEventSourceMapping refuses, and what is not offered here */
export function readOptions(options: StreamMappingOptions): StreamMappingSettings {
  const {
    batchSize = 100,
    windowSeconds = 0,
    bisectBatchOnFunctionError = false,
    clock = systemClock,
    enabled = true,
    pollIntervalMs = 200,
    onInvocation = () => {},
  } = options;
  checkWhole('batchSize', batchSize, 1, 10_000);
  checkWhole('windowSeconds', windowSeconds, 0, 300);
  checkWhole('functionTimeoutSeconds', options.functionTimeoutSeconds, 1, 900);
  checkWhole('pollIntervalMs', pollIntervalMs, 1, 60_000);
  return {
    ...options,
    batchSize,
    windowSeconds,
    bisectBatchOnFunctionError,
    enabled,
    clock,
    pollIntervalMs,
    onInvocation,
  };
}

function checkWhole(option: string, value: number, min: number, max: number, or = ''): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const wanted = min === max ? String(min) : `a whole number from ${min} to ${max}${or}`;
  throw new RangeError(`${option} is ${value}; expected ${wanted}`);
}

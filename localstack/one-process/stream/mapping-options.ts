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
  /** Where shards are read from that are there at the start. Shards that come later are read from their beginning. */
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST';
  /** Records an event holds at most, 1 to 10,000. @default 100 */
  readonly batchSize?: number;
  /** How long a batch waits for more, from its first record, 0 to 300. @default 0: it takes what is there */
  readonly windowSeconds?: number;
  /** Whether a batch whose invocation failed is tried again in two halves. @default false */
  readonly bisectBatchOnFunctionError?: boolean;
  /** Retries after which a batch is given up, -1 to 10,000. @default -1: never */
  readonly maximumRetryAttempts?: number;
  /** Age over which a record is given up, 60 to 604,800, or -1. @default -1: never */
  readonly maximumRecordAgeSeconds?: number;
  /** Batches of a shard at a time. Only 1 is offered. @default 1 */
  readonly parallelizationFactor?: number;
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

/** Records the mapping will not try again; the checkpoint has passed them. */
export class RecordsGivenUpError extends Error {
  override readonly name = 'RecordsGivenUpError';
  readonly shardId: string;
  readonly sequenceNumbers: readonly string[];

  constructor(message: string, shardId: string, sequenceNumbers: readonly string[], options?: ErrorOptions) {
    super(message, options);
    this.shardId = shardId;
    this.sequenceNumbers = sequenceNumbers;
  }
}

/** Fills in the defaults. @throws RangeError what CreateEventSourceMapping refuses, and what is not offered here */
export function readOptions(options: StreamMappingOptions): StreamMappingSettings {
  const {
    batchSize = 100,
    windowSeconds = 0,
    bisectBatchOnFunctionError = false,
    maximumRetryAttempts = -1,
    maximumRecordAgeSeconds = -1,
    parallelizationFactor = 1,
    clock = systemClock,
    enabled = true,
    pollIntervalMs = 200,
    onInvocation = () => {},
  } = options;
  checkWhole('batchSize', batchSize, 1, 10_000);
  checkWhole('windowSeconds', windowSeconds, 0, 300);
  checkWhole('functionTimeoutSeconds', options.functionTimeoutSeconds, 1, 900);
  checkWhole('maximumRetryAttempts', maximumRetryAttempts, -1, 10_000);
  if (maximumRecordAgeSeconds !== -1) {
    checkWhole('maximumRecordAgeSeconds', maximumRecordAgeSeconds, 60, 604_800, ', or -1');
  }
  checkWhole('parallelizationFactor', parallelizationFactor, 1, 1);
  checkWhole('pollIntervalMs', pollIntervalMs, 1, 60_000);
  return {
    ...options,
    batchSize,
    windowSeconds,
    bisectBatchOnFunctionError,
    maximumRetryAttempts,
    maximumRecordAgeSeconds,
    parallelizationFactor,
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

import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { EventSourceMapping, IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { SinkConfig } from '../deliver/sink.ts';
import type { BatchPush } from './batch-push.ts';
import type { Inlet } from './inlet.ts';

/** What keeps messages between the source and the worker. The task binds it; the buffer grants writing and reading. */
export interface IBuffer {
  /**
   * The buffer's part of the spec.
   *
   * @default - that of a queue
   */
  readonly spec?: object;
  /**
   * Messages per batch if the task does not set `batchPush`.
   *
   * @default 10
   */
  readonly messagesByDefault?: number;
  /**
   * Whether AWS Lambda collects more than 10 messages only within a batching window.
   *
   * @default true
   */
  readonly needsWindow?: boolean;
  /**
   * Number of shards, if the buffer is a stream with a fixed number.
   *
   * @default - none
   */
  readonly shardCount?: number | undefined;
  /**
   * Whether AWS IoT Core renders the sink's templates, and no worker does.
   *
   * @default false
   */
  readonly rendersNatively?: boolean;
  bind(scope: Construct, binding: BufferBinding): BufferConfig;
}

export interface BufferBinding {
  /** The task's path, for errors. */
  readonly option: string;
  readonly deadLetterQueue: IQueue;
  readonly sink: SinkConfig;
  /** Options of the task that only a worker can act on, by name, with the values given. */
  readonly workerOptions: Readonly<Record<string, unknown>>;
  /** The same of the source. */
  readonly sourceOptions: Readonly<Record<string, unknown>>;
  readonly batch: Required<BatchPush>;
  /** Concurrent invocations. @default - as many as AWS Lambda starts */
  readonly maxConcurrency: number | undefined;
  /** Whether the buffer invokes the worker as soon as it is deployed. */
  readonly enabled: boolean;
  readonly workerTimeout: Duration;
  readonly encryptionKey: IKey | undefined;
  readonly removalPolicy: RemovalPolicy;
}

export interface BufferConfig {
  readonly inlet: Inlet;
  /**
   * Makes the event source mappings that invoke the worker, the batch push first, and allows the worker to read.
   *
   * @default - there is no worker
   */
  readonly feed?: (worker: IFunction) => readonly EventSourceMapping[];
  /** Environment variables of the worker with the address of the buffer. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly queue?: IQueue;
  readonly stream?: IStream;
  /** Where messages wait for their next attempt. */
  readonly retryQueue?: IQueue;
}

import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { EventSourceMapping, IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { SinkConfig } from '../deliver/sink.ts';

/** What keeps messages between the rules and the worker. The task binds it; it grants what writing and reading it needs. */
export interface IBuffer {
  /**
   * The buffer's part of the spec.
   *
   * @default - that of a queue
   */
  readonly spec?: object;
  /**
   * Messages of a batch where the task doesn't say.
   *
   * @default 10
   */
  readonly messagesByDefault?: number;
  bind(scope: Construct, binding: BufferBinding): BufferConfig;
}

export interface BufferBinding {
  /** The task's path, for errors. */
  readonly option: string;
  /** The role that the rules act with. */
  readonly ruleRole: IRole;
  readonly deadLetterQueue: IQueue;
  readonly sink: SinkConfig;
  /** The task's options that need a worker, by name, with what was given. */
  readonly workerOptions: Readonly<Record<string, unknown>>;
  /** Those of its source. */
  readonly sourceOptions: Readonly<Record<string, unknown>>;
  readonly batch: BatchPush;
  /** Invocations at a time. @default as many as there is work for */
  readonly maxConcurrency: number | undefined;
  /** Whether it feeds the worker as soon as it is deployed. */
  readonly enabled: boolean;
  readonly workerTimeout: Duration;
  readonly encryptionKey: IKey | undefined;
  readonly removalPolicy: RemovalPolicy;
}

/** A push goes out at so many messages or after so long, whichever comes first. */
export interface BatchPush {
  readonly messages: number;
  readonly interval: Duration;
}

export interface BufferConfig {
  /** SELECT clause of the rules for messages of a kind. */
  readonly select: (kind: string) => string;
  /** Action of the rules for messages of a kind. */
  readonly action: (kind: string) => CfnTopicRule.ActionProperty;
  /** Feeds the worker, and allows it to read; absent where none is needed. The first mapping is the batch push. */
  readonly feed?: (worker: IFunction) => readonly EventSourceMapping[];
  /** What the worker has to know of the buffer. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly queue?: IQueue;
  readonly stream?: IStream;
  /** Where messages wait for their next try. */
  readonly retryQueue?: IQueue;
}

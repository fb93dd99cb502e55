import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** Where a task's messages come from. The task binds it; it makes what feeds the buffer. */
export interface ISource {
  /** The source's part of the spec, before it is parsed. */
  readonly spec: object;
  /**
   * Its options that need a worker, by name, with what was given.
   *
   * @default - none
   */
  readonly workerOptions?: Readonly<Record<string, unknown>>;
  bind(scope: Construct, target: SourceTarget): SourceConfig;
}

/** What a source feeds. */
export interface SourceTarget {
  readonly option: string;
  /** SELECT clause of the rules: what the buffer is to hold of messages of a kind. */
  readonly select: (kind: string) => string;
  readonly action: (kind: string) => CfnTopicRule.ActionProperty;
  readonly errorAction: CfnTopicRule.ActionProperty;
  /** The buffer's queue, if it has one. */
  readonly queue: IQueue | undefined;
  readonly deadLetterQueue: IQueue;
  readonly description: string;
}

export interface SourceConfig {
  /** The rules, in the order of the filters that they serve. */
  readonly rules: readonly CfnTopicRule[];
  /** The filters that the rules serve, one each. */
  readonly filters: readonly string[];
}

import type { RemovalPolicy } from 'aws-cdk-lib';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { OptionAdvice } from '../advice.ts';
import type { Inlet } from '../buffer/inlet.ts';
import type { Origin } from './origin.ts';

/** Where a task's messages come from. The task binds it; the source makes what writes to the inlet. */
export interface ISource {
  /** The source's part of the spec, before it is parsed. */
  readonly spec: object;
  /**
   * Options that only a worker can act on, by name, with the values given.
   *
   * @default - none
   */
  readonly workerOptions?: Readonly<Record<string, unknown>>;
  /**
   * Advice for options that the source does not have.
   *
   * @default - none
   */
  readonly advice?: OptionAdvice;
  /** @returns the topic rules and functions that write to the inlet. */
  bind(scope: Construct, binding: SourceBinding): readonly Origin[];
}

export interface SourceBinding {
  /** Path of the source's options, for errors. */
  readonly option: string;
  readonly inlet: Inlet;
  /** Takes what an origin cannot write to the inlet. */
  readonly deadLetterQueue: IQueue;
  /** Name of the task. */
  readonly task: string;
  /** Describes the task. */
  readonly description: string;
  /** What happens to what the source keeps, such as logs, when the task is removed. */
  readonly removalPolicy: RemovalPolicy;
}

import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type * as z from 'zod';
import type { OptionAdvice } from '../advice.ts';
import type { Inlet } from '../buffer/inlet.ts';
import type { WorkerNetwork } from '../connector/network.ts';
import type { Route } from '../route.ts';

/**
 * Where a task delivers to. The task binds it; the sink grants what the worker needs.
 *
 * @typeParam Overrides Options that a route can override.
 */
export interface ISink<Overrides extends object = object> {
  /** Type of the sink in the spec, and name of the worker's bundle. */
  readonly type: string;
  /** Schema of the sink's part of the spec. */
  readonly options: z.ZodType;
  /** The sink's part of the spec, before it is parsed; CDK tokens are still in it. */
  readonly spec: object;
  /** Names of the options that a route can override: those that are rendered for each message. */
  readonly routed: readonly string[];
  /** Options in the spec, such as `stream`, whose whole value may be a CDK token; on a route too, if the route can override them. */
  readonly deployTime: readonly string[];
  /**
   * Shards that the task's StreamBuffer has to have: a sink with static client ids has one for each shard.
   *
   * @default - any buffer
   */
  readonly needsShards?: number | undefined;
  /**
   * Advice for options that the sink does not have.
   *
   * @default - none
   */
  readonly advice?: OptionAdvice;
  /**
   * The overrides of a route as the spec has them; CDK tokens are still in them.
   *
   * @default - unchanged
   */
  routeSpec?(overrides: Overrides): object;
  /** @param routes The task's routes. With at least one route, only routes deliver to the sink. */
  bind(scope: Construct, routes: readonly Route<Overrides>[]): SinkConfig;
}

export interface SinkConfig {
  /** ARN or address in dead letters. A trailing `*` stands for the part that a message's target renders. */
  readonly targetArn: string;
  /**
   * Templates of the AWS IoT Core topics that the sink publishes to. Synth refuses a loop back to the task.
   *
   * @default - none
   */
  readonly writesTo?: readonly string[];
  /**
   * Environment variables of the worker: values that are only known at deployment.
   *
   * @default - none
   */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * VPC in which the worker has its network interfaces.
   *
   * @default - none
   */
  readonly network?: WorkerNetwork | undefined;
  /**
   * AWS services that the worker calls to deliver, by their endpoint names, such as `kinesis-streams`.
   *
   * @default - none
   */
  readonly services?: readonly string[];
  /** Allows the worker to deliver and nothing more. */
  grantDeliver(worker: IGrantable): void;
  /**
   * The sink's target as an inlet that topic rules write to, for a task without a buffer.
   *
   * @param option Path of the sink's options, for errors.
   * @throws InvalidOptionError for an option that only a worker can act on.
   * @default - AWS IoT Core has no rule action for the sink
   */
  nativeInlet?(option: string): Inlet;
}

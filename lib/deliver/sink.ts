import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type * as z from 'zod';
import type { Inlet } from '../buffer/inlet.ts';
import type { WorkerNetwork } from '../connector/network.ts';
import type { Route } from '../route.ts';

/** Where a task delivers to. The task binds it; it grants what its worker needs. */
export interface ISink {
  /** Names its bundle. */
  readonly type: string;
  /** Schema of its part of the spec. */
  readonly options: z.ZodType;
  /** The sink's part of the spec, before it is parsed; CDK tokens are still in it. */
  readonly spec: object;
  /** Names of the options that are read for each message, of which a route may have others. */
  readonly routed: readonly string[];
  /** Paths in the spec, such as `stream`, where a token may be the whole value; also on a route, of what it may have. */
  readonly deployTime: readonly string[];
  /**
   * What a route has of its own as the spec has it; CDK tokens may still be in it.
   *
   * @default - as it is given
   */
  routeSpec?(own: Route['sink']): Route['sink'];
  /** Where there are routes, every record goes by one of them. */
  bind(scope: Construct, routes: readonly Route[]): SinkConfig;
}

export interface SinkConfig {
  /** ARN that dead letters name; a trailing `*` stands for what each message's target renders. */
  readonly targetArn: string;
  /**
   * Topics of AWS IoT Core that it publishes to, as templates; a way back to the task is refused at synth.
   *
   * @default - none
   */
  readonly writesTo?: readonly string[];
  /**
   * What the worker's environment holds for it: values that only the deployment knows.
   *
   * @default - nothing
   */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * Where the worker has its network interfaces.
   *
   * @default - in no VPC
   */
  readonly network?: WorkerNetwork | undefined;
  /** Allows the worker to deliver, and nothing more. */
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

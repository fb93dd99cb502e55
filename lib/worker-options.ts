import { type Duration, Token } from 'aws-cdk-lib';
import { type ISecurityGroup, type IVpc, SecurityGroup, type SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { Tracing } from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { RETRY_CONCURRENCY } from './buffer/queue-buffer.ts';
import type { WorkerNetwork } from './connector/network.ts';
import type { SinkConfig } from './deliver/sink.ts';
import {
  checkOption,
  DURATION,
  LOG_GROUP,
  listOf,
  NUMBER,
  OBJECT,
  type OptionTypes,
  oneOf,
  ROLE,
  SECURITY_GROUP,
  STRING,
  VPC,
} from './props.ts';
import { wholeSeconds } from './whole-seconds.ts';

/** Options of a task's function. */
export interface WorkerOptions {
  /**
   * Memory of the worker in MiB, 128 to 10,240. AWS Lambda allocates CPU in proportion to it.
   *
   * @default 512
   */
  readonly memorySize?: number;
  /**
   * Timeout of the worker, 10 seconds to 15 minutes in whole seconds. The visibility timeout of the task's queues is six times as long.
   *
   * @default Duration.seconds(60)
   */
  readonly timeout?: Duration;
  /**
   * Log group of the worker.
   *
   * @default - a log group of the task that keeps log entries for a month
   */
  readonly logGroup?: ILogGroup;
  /**
   * Role of the worker, which AWS Lambda may assume. It gets the permissions that the worker needs, if it can be changed.
   *
   * @default - a role of the task
   */
  readonly role?: IRole;
  /**
   * Environment variables of the worker in addition to those that the task sets, such as those of a proxy. AWS Lambda allows 4 KB in all.
   *
   * @default - none
   */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * Whether AWS X-Ray traces the worker's invocations.
   *
   * @default Tracing.DISABLED
   */
  readonly tracing?: Tracing;
  /**
   * Concurrent executions that AWS Lambda reserves for the worker, taken from the account's quota; the worker never has more. With
   * `maxConcurrency`, at least two more than that.
   *
   * @default - none
   */
  readonly reservedConcurrentExecutions?: number;
  /**
   * VPC in which the worker has its network interfaces. A connector's VPC applies to its tasks; give one or the other.
   *
   * @default - none, or the connector's
   */
  readonly vpc?: IVpc;
  /**
   * Subnets of the VPC. They need a NAT, or interface endpoints for SQS and the sink.
   *
   * @default - private subnets
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * Security groups of the worker.
   *
   * @default - one of the task
   */
  readonly securityGroups?: readonly ISecurityGroup[];
}

export const WORKER_OPTION_TYPES: OptionTypes<WorkerOptions> = {
  memorySize: NUMBER,
  timeout: DURATION,
  logGroup: LOG_GROUP,
  role: ROLE,
  environment: OBJECT,
  tracing: oneOf('Active', 'PassThrough', 'Disabled'),
  reservedConcurrentExecutions: NUMBER,
  vpc: VPC,
  vpcSubnets: OBJECT,
  securityGroups: listOf(SECURITY_GROUP),
};

/** Worker options by name, with the descriptions that errors show. */
export function givenWorkerOptions(given: WorkerOptions): Readonly<Record<string, unknown>> {
  const { memorySize, reservedConcurrentExecutions, tracing } = given;
  const unshown = Object.entries(CONSTRUCTS).filter(([name]) => given[name as keyof typeof CONSTRUCTS] !== undefined);
  return {
    memorySize,
    reservedConcurrentExecutions,
    tracing,
    ...Object.fromEntries(unshown.map(([name, text]) => [name, described(text)])),
  };
}

const CONSTRUCTS = {
  timeout: 'a duration',
  logGroup: 'a log group',
  role: 'a role',
  environment: 'variables',
  vpc: 'a VPC',
  vpcSubnets: 'subnets',
  securityGroups: 'security groups',
} as const;

const TIMEOUT_SECONDS = { atLeast: 10, byDefault: 60, atMost: 900 };

/** The worker's timeout in seconds. @throws InvalidOptionError for one that AWS Lambda refuses, or that leaves no time to deliver. */
export function workerTimeout(option: string, timeout: Duration | undefined): number {
  if (timeout === undefined) return TIMEOUT_SECONDS.byDefault;
  const seconds = wholeSeconds(timeout, option);
  const { atLeast, atMost } = TIMEOUT_SECONDS;
  if (seconds < atLeast || seconds > atMost)
    throw new InvalidOptionError(option, described(`${seconds} seconds`), `${atLeast} to ${atMost} seconds`);
  return seconds;
}

/** @throws InvalidOptionError for less than the concurrent batches of the task. */
export function checkReserved(option: string, reserved: number | undefined, maxConcurrency: number | undefined): void {
  if (reserved === undefined || Token.isUnresolved(reserved)) return;
  if (!Number.isInteger(reserved) || reserved < 1)
    throw new InvalidOptionError(option, reserved, 'a whole number, at least 1');
  if (maxConcurrency !== undefined && reserved < maxConcurrency + RETRY_CONCURRENCY)
    throw new InvalidOptionError(
      option,
      reserved,
      `at least ${maxConcurrency + RETRY_CONCURRENCY}: maxConcurrency and the ${RETRY_CONCURRENCY} batches of the retry queue`,
    );
}

/** @throws InvalidOptionError for a variable that the task sets itself, and for a value that is no text. */
export function checkEnvironmentVariables(
  option: string,
  given: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(given)) {
    checkOption(`${option}.${name}`, value, STRING);
    if (Object.hasOwn(own, name))
      throw new InvalidOptionError(`${option}.${name}`, value, 'another name: the task sets this variable itself');
  }
}

/** Where the worker has its network interfaces: in the connector's VPC, or in that of the options. */
export function workerNetwork(
  task: Construct,
  option: string,
  { network, services = [] }: SinkConfig,
  { vpc, vpcSubnets, securityGroups }: WorkerOptions,
): WorkerNetwork | undefined {
  if (vpc === undefined) {
    for (const [name, given] of Object.entries({ vpcSubnets, securityGroups }))
      if (given !== undefined) throw new InvalidOptionError(`${option}.${name}`, described('a value'), 'vpc with it');
    return network;
  }
  if (network !== undefined)
    throw new InvalidOptionError(`${option}.vpc`, described('a VPC'), "none: the connector's VPC applies to its tasks");
  const description = `Worker of the Outflow task ${task.node.id}`;
  return {
    vpc,
    vpcSubnets,
    securityGroups: securityGroups ?? [new SecurityGroup(task, 'WorkerSecurityGroup', { vpc, description })],
    services,
  };
}

import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { Grant, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Alias,
  Architecture,
  type Code,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { IStringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { grantSend } from './buffer/queue-grants.ts';
import { checkNetwork } from './connector/network.ts';
import type { SinkConfig } from './deliver/sink.ts';
import { denyInterfaces, grantInterfaces, inNetwork } from './function-network.ts';
import { versionIdentity } from './version-identity.ts';
import { checkEnvironmentVariables, type WorkerOptions, workerNetwork } from './worker-options.ts';

export interface WorkerProps {
  /** The task's path, for errors. */
  readonly option: string;
  readonly code: Code;
  readonly environment: Record<string, string>;
  /** The constructs that the environment names and that have generated names. */
  readonly parts: readonly Construct[];
  readonly description: string;
  readonly timeoutSeconds: number;
  readonly options: WorkerOptions;
  readonly removalPolicy: RemovalPolicy;
  readonly sink: SinkConfig;
  readonly deadLetterQueue: IQueue;
  readonly controlQueue: IQueue;
  /** The parameter that keeps the task's state, if the worker reads it. */
  readonly readsState: IStringParameter | undefined;
}

/**
 * Makes the function of a task, allowed to deliver, to write dead letters and to report to the control function; and the alias
 * that the event source mappings invoke. The alias moves to the next published version at once, so that code, spec and environment
 * change together under traffic.
 */
export function addWorker(scope: Construct, props: WorkerProps): { worker: LambdaFunction; live: Alias } {
  const { sink, readsState, options } = props;
  const { environment = {}, tracing, reservedConcurrentExecutions } = options;
  checkEnvironmentVariables(`${props.option}.environment`, environment, props.environment);
  const logGroup =
    options.logGroup ??
    new LogGroup(scope, 'Logs', { retention: RetentionDays.ONE_MONTH, removalPolicy: props.removalPolicy });
  // AWS Lambda's managed policy would allow writing to every log group of the account.
  const role =
    options.role ?? new Role(scope, 'WorkerRole', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  Grant.addToPrincipal({
    grantee: role,
    actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    resourceArns: [logGroup.logGroupArn],
  });
  const network = workerNetwork(scope, props.option, sink, options);
  if (network !== undefined) grantInterfaces(role);
  const identity = versionIdentity(scope, props.environment, props.parts);
  const fn = new LambdaFunction(scope, 'Worker', {
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    code: props.code,
    environment: { ...environment, ...props.environment },
    description: props.description,
    memorySize: options.memorySize ?? 512,
    timeout: Duration.seconds(props.timeoutSeconds),
    ...(tracing !== undefined && { tracing }),
    ...(reservedConcurrentExecutions !== undefined && { reservedConcurrentExecutions }),
    role,
    logGroup,
    // As text, AWS Lambda would add three lines to each invocation.
    loggingFormat: LoggingFormat.JSON,
    systemLogLevelV2: SystemLogLevel.WARN,
    ...(identity !== undefined && { currentVersionOptions: { description: identity } }),
    // A retry returns to this function through the retry queue, up to 176 times by default; AWS Lambda would stop it after 16
    // (AWS Lambda, "Recursive loop detection").
    recursiveLoop: RecursiveLoop.ALLOW,
    ...inNetwork(network),
  });
  const live = new Alias(scope, 'Live', { aliasName: 'live', version: fn.currentVersion });
  if (network !== undefined)
    checkNetwork(scope, `${props.option}.sink`, network, readsState === undefined ? ['sqs'] : ['sqs', 'ssm']);
  if (network !== undefined) denyInterfaces(scope, role, fn);
  sink.grantDeliver(fn);
  grantSend(props.deadLetterQueue, fn);
  grantSend(props.controlQueue, fn);
  if (readsState !== undefined)
    Grant.addToPrincipal({ grantee: fn, actions: ['ssm:GetParameter'], resourceArns: [readsState.parameterArn] });
  return { worker: fn, live };
}

import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import { Grant, Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Alias,
  Architecture,
  type Code,
  Function as LambdaFunction,
  RecursiveLoop,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { type ILogGroup, LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { WorkerNetwork } from './connector/network.ts';

export const WORKER_TIMEOUT = Duration.seconds(60);

const INTERFACE_ACTIONS = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

export interface WorkerProps {
  readonly code: Code;
  readonly environment: Record<string, string>;
  readonly description: string;
  readonly memorySize: number;
  readonly logGroup: ILogGroup | undefined;
  readonly removalPolicy: RemovalPolicy;
  readonly network: WorkerNetwork | undefined;
}

/** The one function of a task, and the alias that its mapping invokes: code and spec change together, under traffic. */
export function worker(scope: Construct, props: WorkerProps): { worker: LambdaFunction; live: Alias } {
  const logGroup =
    props.logGroup ??
    new LogGroup(scope, 'Logs', { retention: RetentionDays.ONE_MONTH, removalPolicy: props.removalPolicy });
  // Lambda's own managed policy would let it write to every log group of the account.
  const role = new Role(scope, 'WorkerRole', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  Grant.addToPrincipal({
    grantee: role,
    actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    resourceArns: [logGroup.logGroupArn],
  });
  const { network } = props;
  if (network !== undefined) grantInterfaces(role);
  const fn = new LambdaFunction(scope, 'Worker', {
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    code: props.code,
    environment: props.environment,
    description: props.description,
    memorySize: props.memorySize,
    timeout: WORKER_TIMEOUT,
    role,
    logGroup,
    // A retry goes through the task's own queue back to this function, up to 176 times: that is no runaway loop.
    recursiveLoop: RecursiveLoop.ALLOW,
    ...(network !== undefined && {
      vpc: network.vpc,
      ...(network.vpcSubnets && { vpcSubnets: network.vpcSubnets }),
      securityGroups: [...network.securityGroups],
    }),
  });
  const live = new Alias(scope, 'Live', { aliasName: 'live', version: fn.currentVersion });
  return { worker: fn, live };
}

function grantInterfaces(role: Role): void {
  // Within the role, so that the function waits for it.
  const policy = new Policy(role, 'Interfaces', {
    statements: [new PolicyStatement({ actions: INTERFACE_ACTIONS, resources: ['*'] })],
    roles: [role],
  });
  Validations.of(policy).acknowledge({
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
    reason:
      'AWS Lambda wants these for all interfaces: "Giving Lambda functions access to resources in an Amazon VPC".',
  });
}

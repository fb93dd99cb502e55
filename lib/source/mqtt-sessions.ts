import { createHash } from 'node:crypto';
import { type CfnElement, Duration, type RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as ScheduledFunction } from 'aws-cdk-lib/aws-events-targets';
import { Grant, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  type Alias,
  Architecture,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { workerCode } from '../asset.ts';
import type { WorkerNetwork } from '../connector/network.ts';
import { grantInterfaces, inNetwork } from '../function-network.ts';
import { versionIdentity } from '../version-identity.ts';

/** Targets of a rule (Amazon EventBridge, "Amazon EventBridge quotas"). */
const MAX_TARGETS = 5;
/** Longest duration of an invocation of AWS Lambda (AWS Lambda, "Lambda quotas"). */
const SESSION_MINUTES = 15;

/** Starts the function each minute for each slot, and at once after a deployment that changes it. */
export function addStarts(scope: Construct, live: Alias, description: string, sessions: number): void {
  const stack = Stack.of(scope);
  const targets = Array.from(
    { length: sessions },
    (_, index) => new ScheduledFunction(live, { event: RuleTargetInput.fromObject({ slot: index + 1 }) }),
  );
  for (let from = 0; from < sessions; from += MAX_TARGETS) {
    const which = from === 0 ? '' : String(from / MAX_TARGETS + 1);
    new Rule(scope, `SessionStarts${which}`, {
      description: `Starts the sessions of ${description}`.slice(0, 512),
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: targets.slice(from, from + MAX_TARGETS),
    });
    new Rule(scope, `SessionChanges${which}`, {
      description: `Starts the changed sessions of ${description}`.slice(0, 512),
      // AWS CloudFormation, "Resource status change" events
      eventPattern: {
        source: ['aws.cloudformation'],
        detailType: ['CloudFormation Resource Status Change'],
        detail: {
          'stack-id': [stack.stackId],
          'logical-resource-id': [stack.getLogicalId(live.node.defaultChild as CfnElement)],
          'status-details': { status: ['UPDATE_COMPLETE'] },
        },
      },
      targets: targets.slice(from, from + MAX_TARGETS),
    });
  }
}

interface SessionFunctionProps {
  readonly spec: object;
  readonly environment: Record<string, string>;
  readonly description: string;
  readonly removalPolicy: RemovalPolicy;
  readonly slots: readonly Construct[];
  readonly network: WorkerNetwork | undefined;
}

export function sessionFunction(scope: Construct, props: SessionFunctionProps): LambdaFunction {
  const { spec, environment, removalPolicy } = props;
  const logGroup = new LogGroup(scope, 'SessionLogs', { retention: RetentionDays.ONE_MONTH, removalPolicy });
  const role = new Role(scope, 'SessionRole', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  Grant.addToPrincipal({
    grantee: role,
    actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    resourceArns: [logGroup.logGroupArn],
  });
  if (props.network !== undefined) grantInterfaces(role);
  const identity = versionIdentity(scope, environment, [scope]);
  return new LambdaFunction(scope, 'Sessions', {
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    code: workerCode('mqtt-source', spec),
    environment,
    description: `Receives messages of ${props.description}`.slice(0, 256),
    memorySize: 512,
    timeout: Duration.minutes(SESSION_MINUTES),
    role,
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    systemLogLevelV2: SystemLogLevel.WARN,
    ...(identity !== undefined && { currentVersionOptions: { description: identity } }),
    ...inNetwork(props.network),
  });
}

/** Keeps which invocation holds a slot; see `takeTurn`. */
export function slotParameter(scope: Construct, slot: number): StringParameter {
  return new StringParameter(scope, `Slot${slot}`, {
    description: `Session ${slot} of an Outflow source`,
    stringValue: '{}',
  });
}

/** 8 hexadecimal digits, the same for every deployment of the task. */
export function digits(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 8);
}

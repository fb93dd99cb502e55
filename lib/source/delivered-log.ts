import { Annotations, Duration, Token } from 'aws-cdk-lib';
import { Grant, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { FilterPattern, type ILogGroup, LogGroup, RetentionDays, SubscriptionFilter } from 'aws-cdk-lib/aws-logs';
import { LambdaDestination } from 'aws-cdk-lib/aws-logs-destinations';
import { Construct } from 'constructs';
import { QUEUE_URL, TOPIC_FILTERS } from '../../lambdas/core/environment.ts';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import { bundleCode } from '../asset.ts';
import type { FunctionWrite, Inlet } from '../buffer/inlet.ts';
import { grantSend } from '../buffer/queue-grants.ts';
import type { Origin } from './origin.ts';
import type { SourceBinding } from './source.ts';

export interface DeliveredLogProps {
  readonly binding: SourceBinding;
  /** Log group that AWS IoT Core writes its `Publish-Out` entries to. */
  readonly logGroup: ILogGroup;
  /** Topics of the messages wanted. */
  readonly topicFilters: readonly string[];
}

/**
 * Turns log entries of messages that AWS IoT Core sent to clients into messages of a task. A subscription filter of the log group
 * invokes a small function. AWS IoT Core writes the entries once the account's IoT logging is configured to.
 *
 * @throws InvalidOptionError for an inlet that is no queue: the function only sends to SQS.
 */
export class DeliveredLog extends Construct {
  /** The function. Entries that it could not send within six hours go to the dead-letter queue, by AWS Lambda. */
  readonly origin: Origin;

  constructor(scope: Construct, id: string, { binding, logGroup, topicFilters }: DeliveredLogProps) {
    super(scope, id);
    const { deadLetterQueue, inlet } = binding;
    const { environment, grantWrite } = toQueue(`${scope.node.id}.buffer`, inlet);
    const { removalPolicy } = binding;
    const own = new LogGroup(this, 'Logs', { retention: RetentionDays.ONE_MONTH, removalPolicy });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    Grant.addToPrincipal({
      grantee: role,
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resourceArns: [own.logGroupArn],
    });
    const reader = new LambdaFunction(this, 'Function', {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: bundleCode('logs'),
      description: 'Reads what AWS IoT Core sent to clients',
      memorySize: 256,
      timeout: Duration.seconds(60),
      environment: { ...environment, [TOPIC_FILTERS]: JSON.stringify(topicFilters) },
      role,
      logGroup: own,
      maxEventAge: Duration.hours(6),
      retryAttempts: 2,
      onFailure: {
        // CDK's SqsDestination would also let the function read the queue's attributes.
        bind(_, fn) {
          grantSend(deadLetterQueue, fn);
          return { destination: deadLetterQueue.queueArn };
        },
      },
    });
    grantWrite(reader);
    new SubscriptionFilter(this, 'Entries', {
      logGroup,
      destination: new LambdaDestination(reader),
      filterPattern: FilterPattern.all(
        FilterPattern.stringValue('$.eventType', '=', 'Publish-Out'),
        FilterPattern.stringValue('$.status', '=', 'Success'),
      ),
    });
    const name = Token.isUnresolved(logGroup.logGroupName) ? '<the log group>' : logGroup.logGroupName;
    Annotations.of(this).addInfo(`message.delivered: enable the log entries with\n${enableEntries(name)}`);
    this.origin = { topicFilters, arn: reader.functionArn, function: reader };
  }
}

function toQueue(option: string, { forFunctions }: Inlet): FunctionWrite {
  if (forFunctions?.environment[QUEUE_URL] === undefined)
    throw new InvalidOptionError(option, described('no queue'), 'a QueueBuffer: message.delivered needs one');
  return forFunctions;
}

/**
 * The commands that make AWS IoT Core write `Publish-Out` entries: a role that may write the log, and the logging options with this
 * event added to those that are there (AWS IoT Core, "Configure AWS IoT logging").
 */
export function enableEntries(logGroup: string): string {
  const trust = statement({ Principal: { Service: 'iot.amazonaws.com' }, Action: 'sts:AssumeRole' });
  const write = statement({
    Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    Resource: `arn:aws:logs:*:*:log-group:${logGroup}:*`,
  });
  const event = JSON.stringify([{ eventType: 'Publish-Out', logLevel: 'INFO', logDestination: logGroup }]);
  return [
    '# only if `aws iot get-v2-logging-options` shows no roleArn:',
    `aws iam create-role --role-name ${ROLE} --assume-role-policy-document '${trust}'`,
    `aws iam put-role-policy --role-name ${ROLE} --policy-name logs --policy-document '${write}'`,
    `aws iot set-v2-logging-options --default-log-level ERROR --role-arn "$(aws iam get-role --role-name ${ROLE} --query Role.Arn --output text)"`,
    '# adds the event to those that are configured:',
    `aws iot set-v2-logging-options --event-configurations "$(aws iot get-v2-logging-options --query eventConfigurations | jq -c '[(. // [])[] | select(.eventType != "Publish-Out")] + ${event}')"`,
  ].join('\n');
}

const ROLE = 'AwsIotLogging';

function statement(of: object): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...of }] });
}

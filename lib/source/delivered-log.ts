import { Annotations, Duration, Token } from 'aws-cdk-lib';
import { Grant, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { FilterPattern, type ILogGroup, LogGroup, RetentionDays, SubscriptionFilter } from 'aws-cdk-lib/aws-logs';
import { LambdaDestination } from 'aws-cdk-lib/aws-logs-destinations';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { bundleCode } from '../asset.ts';
import { grantSend } from '../buffer/queue-buffer.ts';

export interface DeliveredLogProps {
  /** Where AWS IoT Core writes its `Publish-Out` entries. */
  readonly logGroup: ILogGroup;
  readonly topicFilters: readonly string[];
  /** Takes what the entries tell. */
  readonly queue: IQueue;
  /** Takes entries that could not be put there for six hours, as AWS Lambda hands them on. */
  readonly deadLetterQueue: IQueue;
}

/**
 * Turns log entries of messages that AWS IoT Core sent to clients into messages of a task (row B16). A small function does it,
 * which a subscription filter of the log group calls; whoever owns the account's IoT logging switches the entries on.
 */
export class DeliveredLog extends Construct {
  constructor(scope: Construct, id: string, { logGroup, topicFilters, queue, deadLetterQueue }: DeliveredLogProps) {
    super(scope, id);
    const own = new LogGroup(this, 'Logs', { retention: RetentionDays.ONE_MONTH });
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
      environment: { QUEUE_URL: queue.queueUrl, TOPIC_FILTERS: JSON.stringify(topicFilters) },
      role,
      logGroup: own,
      maxEventAge: Duration.hours(6),
      retryAttempts: 2,
      onFailure: {
        // CDK's own destination would also let it read the queue's attributes.
        bind(_, fn) {
          grantSend(deadLetterQueue, fn);
          return { destination: deadLetterQueue.queueArn };
        },
      },
    });
    grantSend(queue, reader);
    new SubscriptionFilter(this, 'Entries', {
      logGroup,
      destination: new LambdaDestination(reader),
      filterPattern: FilterPattern.all(
        FilterPattern.stringValue('$.eventType', '=', 'Publish-Out'),
        FilterPattern.stringValue('$.status', '=', 'Success'),
      ),
    });
    const name = Token.isUnresolved(logGroup.logGroupName) ? '<the log group>' : logGroup.logGroupName;
    Annotations.of(this).addInfo(`message.delivered: switch the entries on with\n  ${switchOn(name)}`);
  }
}

/** The command that has AWS IoT Core write `Publish-Out` entries (AWS IoT Core, "Configure AWS IoT logging"). */
export function switchOn(logGroup: string): string {
  const configuration = JSON.stringify([{ eventType: 'Publish-Out', logLevel: 'INFO', logDestination: logGroup }]);
  return `aws iot set-v2-logging-options --event-configurations '${configuration}'`;
}

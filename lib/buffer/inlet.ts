import { Grant, type IGrantable, type IRole } from 'aws-cdk-lib/aws-iam';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { QUEUE_URL, STREAM_NAME } from '../../lambdas/core/environment.ts';
import { grantSend } from './queue-grants.ts';

/** Where messages enter a task: its buffer, or, without a buffer, the sink's target. A source binds to it. */
export interface Inlet {
  /** Allows the role of topic rules to write, and returns what a rule for messages of an event type does. */
  forRules(role: IRole): (eventType: string) => RuleWrite;
  /**
   * How a function writes.
   *
   * @default - only topic rules can write
   */
  readonly forFunctions?: FunctionWrite;
}

/** What a topic rule selects, and the action that takes it. */
export interface RuleWrite {
  /** SELECT clause of the rule. */
  readonly select: string;
  readonly action: CfnTopicRule.ActionProperty;
}

export interface FunctionWrite {
  /** Environment variables of the function with the address to write to. */
  readonly environment: Readonly<Record<string, string>>;
  grantWrite(grantee: IGrantable): void;
}

/** A stream, as far as an inlet needs it. */
export interface WrittenStream {
  readonly streamName: string;
  readonly streamArn: string;
  readonly encryptionKey?: IKey | undefined;
}

/**
 * An SQS queue.
 *
 * @param select Returns the SELECT clause for an event type.
 */
export function queueInlet(queue: IQueue, select: (eventType: string) => string): Inlet {
  return {
    forRules(role) {
      grantSend(queue, role);
      return (eventType) => ({ select: select(eventType), action: sendToQueue(queue, role) });
    },
    forFunctions: {
      environment: { [QUEUE_URL]: queue.queueUrl },
      grantWrite: (grantee) => grantSend(queue, grantee),
    },
  };
}

/** A Kinesis stream. */
export function streamInlet(stream: WrittenStream, ...writes: StreamWrites): Inlet {
  return {
    ...ruleOnlyStreamInlet(stream, ...writes),
    forFunctions: {
      environment: { [STREAM_NAME]: stream.streamName },
      grantWrite: (grantee) => grantPut(stream, grantee, 'kinesis:PutRecords'),
    },
  };
}

/** A Kinesis stream that only topic rules can write to. */
export function ruleOnlyStreamInlet(stream: WrittenStream, ...[select, partitionKey]: StreamWrites): Inlet {
  const { streamName } = stream;
  return {
    forRules(role) {
      grantPut(stream, role, 'kinesis:PutRecord');
      return (eventType) => ({
        select: select(eventType),
        action: { kinesis: { streamName, partitionKey: partitionKey(eventType), roleArn: role.roleArn } },
      });
    },
  };
}

/** Per event type: the SELECT clause, and the partition key as a substitution template (AWS IoT Core, "Substitution templates"). */
type StreamWrites = [select: (eventType: string) => string, partitionKey: (eventType: string) => string];

function grantPut({ streamArn, encryptionKey }: WrittenStream, grantee: IGrantable, action: string): void {
  Grant.addToPrincipal({ grantee, actions: [action], resourceArns: [streamArn] });
  encryptionKey?.grant(grantee, 'kms:GenerateDataKey');
}

/** The rule action that sends to a queue; the role must be allowed to. */
export function sendToQueue(queue: IQueue, role: IRole): CfnTopicRule.ActionProperty {
  return { sqs: { queueUrl: queue.queueUrl, roleArn: role.roleArn, useBase64: false } };
}

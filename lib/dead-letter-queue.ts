import { Annotations, Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnQueue, type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { checkEnvironment } from './stack-environment.ts';
import { wholeSeconds } from './whole-seconds.ts';

/** Amazon SQS, "SetQueueAttributes": MessageRetentionPeriod. */
const RETENTION_SECONDS = { atLeast: 60, byDefault: 345_600, atMost: 1_209_600 };

/** Makes the task's dead-letter queue. It keeps messages for 14 days, the maximum of SQS. */
export function ownDeadLetterQueue(task: Construct, key: IKey | undefined, removalPolicy: RemovalPolicy): Queue {
  return new Queue(task, 'DeadLetterQueue', {
    retentionPeriod: Duration.seconds(RETENTION_SECONDS.atMost),
    enforceSSL: true,
    ...(key === undefined
      ? { encryption: QueueEncryption.SQS_MANAGED }
      : { encryption: QueueEncryption.KMS, encryptionMasterKey: key }),
    removalPolicy,
  });
}

/** @throws InvalidOptionError for a queue that a standard queue and a topic rule cannot use as their dead-letter queue. */
export function checkDeadLetterQueue(task: Construct, option: string, queue: IQueue): void {
  if (queue.fifo)
    throw new InvalidOptionError(
      option,
      described('a FIFO queue'),
      'a standard queue, as a standard source queue and the SQS action of a topic rule require',
    );
  // Amazon SQS, "Using dead-letter queues": the source queue and its dead-letter queue are in one account and region.
  checkEnvironment(task, option, 'a queue', queue);
}

/**
 * Checks the retention of a queue of the task. It must be shorter than the dead-letter queue's, because a message that SQS moves
 * there keeps its enqueue timestamp (Amazon SQS, "Using dead-letter queues") and might expire at once.
 *
 * @returns the retention in seconds.
 * @throws InvalidOptionError for a retention that SQS does not support, or that is not shorter.
 */
export function checkRetention(option: string, retention: Duration, task: Construct, deadLetterQueue: IQueue): number {
  const seconds = wholeSeconds(retention, option);
  const { atLeast, atMost } = RETENTION_SECONDS;
  if (seconds < atLeast || seconds > atMost || (isOwn(task, deadLetterQueue) && seconds === atMost))
    throw new InvalidOptionError(
      option,
      described(text(seconds)),
      'at least 1 minute, and less than the 14 days of the dead-letter queue',
    );
  return seconds;
}

/** Warns if the user's dead-letter queue may keep messages no longer than the longest retention of the task's queues. */
export function warnOfRetention(task: Construct, longest: Duration, deadLetterQueue: IQueue): void {
  if (isOwn(task, deadLetterQueue)) return;
  const seconds = longest.toSeconds();
  const kept = retentionOf(deadLetterQueue);
  if (kept !== undefined && kept > seconds) return;
  const given = kept === undefined ? 'its retention is unknown at synth' : `it keeps messages for ${text(kept)}`;
  Annotations.of(task).addWarningV2(
    'mqtt-outflow:deadLetterRetention',
    `deadLetterQueue: ${given}; expected more than the ${text(seconds)} of the task's queues, because messages that SQS moves there keep their age`,
  );
}

function isOwn(task: Construct, deadLetterQueue: IQueue): boolean {
  return deadLetterQueue.node.scope === task;
}

function retentionOf(queue: IQueue): number | undefined {
  const resource = queue.node.defaultChild;
  if (!(resource instanceof CfnQueue)) return undefined;
  const { messageRetentionPeriod = RETENTION_SECONDS.byDefault } = resource;
  // CDK encodes a token as a negative number.
  return messageRetentionPeriod > 0 ? messageRetentionPeriod : undefined;
}

function text(seconds: number): string {
  return Duration.seconds(seconds).toHumanString();
}

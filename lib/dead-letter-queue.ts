import { Annotations, Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnQueue, type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { refuseElsewhere } from './elsewhere.ts';
import { wholeSeconds } from './retry.ts';

/** Amazon SQS, "SetQueueAttributes": MessageRetentionPeriod. */
const RETENTION_SECONDS = { atLeast: 60, byDefault: 345_600, atMost: 1_209_600 };

/** A dead-letter queue of the task's, which keeps messages for as long as SQS can. */
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

/** @throws InvalidOptionError for a queue that cannot be the dead-letter queue of a standard one, nor take a rule's errors. */
export function checkDeadLetterQueue(task: Construct, option: string, queue: IQueue): void {
  if (queue.fifo)
    throw new InvalidOptionError(
      option,
      described('a FIFO queue'),
      'a standard queue: SQS wants both of one kind, IoT Core a standard one',
    );
  // Amazon SQS, "Using dead-letter queues": it must be of the account and region of the queue that names it.
  refuseElsewhere(task, option, 'a queue', queue);
}

/**
 * Sees to it that letters outlast the queue they come from: a message that SQS itself moves there keeps its age (Amazon SQS,
 * "Using dead-letter queues"), so it would be deleted as soon as it came.
 *
 * @returns the retention in seconds.
 * @throws InvalidOptionError for a retention that SQS does not have, or that the task's own dead-letter queue cannot outlast.
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

/** Warns of a dead-letter queue of the user's that does not outlast the longest of the task's queues, or may not. */
export function warnOfRetention(task: Construct, longest: Duration, deadLetterQueue: IQueue): void {
  if (isOwn(task, deadLetterQueue)) return;
  const seconds = longest.toSeconds();
  const kept = retentionOf(deadLetterQueue);
  if (kept !== undefined && kept > seconds) return;
  const given = kept === undefined ? 'its retention cannot be seen here' : `it keeps messages ${text(kept)}`;
  Annotations.of(task).addWarningV2(
    'mqtt-outflow:deadLetterRetention',
    `deadLetterQueue: ${given}; expected more than the ${text(seconds)} of the task's queues, or what SQS moves there is deleted early`,
  );
}

function isOwn(task: Construct, deadLetterQueue: IQueue): boolean {
  return deadLetterQueue.node.scope === task;
}

function retentionOf(queue: IQueue): number | undefined {
  const resource = queue.node.defaultChild;
  if (!(resource instanceof CfnQueue)) return undefined;
  const { messageRetentionPeriod = RETENTION_SECONDS.byDefault } = resource;
  return messageRetentionPeriod > 0 ? messageRetentionPeriod : undefined; // a token's number is negative
}

function text(seconds: number): string {
  return Duration.seconds(seconds).toHumanString();
}

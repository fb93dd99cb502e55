import { Duration } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { SELECT_ENVELOPE } from '../source/rule-sql.ts';
import type { BufferBinding, BufferConfig, IBuffer } from './buffer.ts';

export interface QueueBufferProps {
  /**
   * How long the queue keeps a message that is not delivered, 1 minute to 14 days. Shorter than the dead-letter queue's.
   *
   * @default Duration.days(4)
   */
  readonly retentionPeriod?: Duration;
}

// The worker dead-letters by itself; the queue's own count is the last resort, against a message that kills the function.
const MAX_RECEIVE_COUNT = 1_000;

/**
 * An SQS standard queue: nothing to pay when idle, a retry per message, no order (the IoT rule's SQS action cannot write to
 * FIFO queues). Its event source mapping is the task's batch push.
 */
export class QueueBuffer implements IBuffer {
  readonly #props: QueueBufferProps;

  constructor(props: QueueBufferProps = {}) {
    this.#props = props;
  }

  bind(
    scope: Construct,
    { ruleRole, deadLetterQueue, batch, workerTimeout, encryptionKey, removalPolicy }: BufferBinding,
  ): BufferConfig {
    const queue = new Queue(scope, 'Queue', {
      retentionPeriod: this.#props.retentionPeriod ?? Duration.days(4),
      // AWS Lambda, "Using Lambda with Amazon SQS": six times the function's timeout, and the batch window.
      visibilityTimeout: Duration.seconds(6 * workerTimeout.toSeconds() + batch.interval.toSeconds()),
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: MAX_RECEIVE_COUNT },
      enforceSSL: true,
      ...(encryptionKey === undefined
        ? { encryption: QueueEncryption.SQS_MANAGED }
        : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey }),
      removalPolicy,
    });
    grantSend(queue, ruleRole);
    return {
      queue,
      select: SELECT_ENVELOPE,
      action: { sqs: { queueUrl: queue.queueUrl, roleArn: ruleRole.roleArn, useBase64: false } },
      feed: (worker) => {
        Grant.addToPrincipal({ grantee: worker, actions: RECEIVE, resourceArns: [queue.queueArn] });
        queue.encryptionMasterKey?.grant(worker, 'kms:Decrypt');
        return new EventSourceMapping(scope, 'Mapping', {
          target: worker,
          eventSourceArn: queue.queueArn,
          batchSize: batch.messages,
          maxBatchingWindow: batch.interval,
          reportBatchItemFailures: true,
        });
      },
    };
  }
}

const RECEIVE = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility'];

/** Allows sending to a queue, and nothing more. */
export function grantSend(queue: IQueue, grantee: IGrantable): void {
  Grant.addToPrincipal({ grantee, actions: ['sqs:SendMessage'], resourceArns: [queue.queueArn] });
  // SQS encrypts with a data key that the sender asks for, and may have to open one it asked for before.
  queue.encryptionMasterKey?.grant(grantee, 'kms:GenerateDataKey', 'kms:Decrypt');
}

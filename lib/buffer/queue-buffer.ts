import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping, type EventSourceMappingProps, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { QUEUE_URL, RETRY_QUEUE_URL } from '../../lambdas/core/environment.ts';
import { checkRetention, warnOfRetention } from '../dead-letter-queue.ts';
import { selectEnvelope } from '../source/rule-sql.ts';
import type { BufferBinding, BufferConfig, IBuffer } from './buffer.ts';
import { queueInlet } from './inlet.ts';
import { grantReceive, grantSend } from './queue-grants.ts';

export interface QueueBufferProps {
  /**
   * How long the queue keeps a message that is not delivered, from 1 minute; SQS then deletes it, and no dead letter tells of
   * it. It must be shorter than the dead-letter queue's: less than 14 days for the task's own. The retry queue keeps messages
   * as long, but never less than 4 days: a message that waits for its next try, or for a task that is stopped, must outlast
   * its delay, and one that SQS moves on from there keeps its age, so it must be younger than dead letters become.
   *
   * @default Duration.days(4)
   */
  readonly retentionPeriod?: Duration;
}

const DEFAULT_RETENTION = Duration.days(4);

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
    {
      option,
      deadLetterQueue,
      batch,
      workerTimeout,
      encryptionKey,
      removalPolicy,
      maxConcurrency,
      enabled,
    }: BufferBinding,
  ): BufferConfig {
    const retentionPeriod = this.#props.retentionPeriod ?? DEFAULT_RETENTION;
    const seconds = checkRetention(`${option}.buffer.retentionPeriod`, retentionPeriod, scope, deadLetterQueue);
    const retryRetention = seconds > DEFAULT_RETENTION.toSeconds() ? retentionPeriod : DEFAULT_RETENTION;
    warnOfRetention(scope, retryRetention, deadLetterQueue);
    const make = (id: string, windowSeconds: number, retentionPeriod: Duration) =>
      new Queue(scope, id, {
        retentionPeriod,
        // AWS Lambda, "Using Lambda with Amazon SQS": six times the function's timeout, and the batch window.
        visibilityTimeout: Duration.seconds(6 * workerTimeout.toSeconds() + windowSeconds),
        deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: MAX_RECEIVE_COUNT },
        enforceSSL: true,
        ...(encryptionKey === undefined
          ? { encryption: QueueEncryption.SQS_MANAGED }
          : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey }),
        removalPolicy,
      });
    const queue = make('Queue', batch.interval.toSeconds(), retentionPeriod);
    const retryQueue = make('RetryQueue', 0, retryRetention);

    const feed = (id: string, from: Queue, worker: IFunction, props: Partial<EventSourceMappingProps>) => {
      grantReceive(from, worker);
      return new EventSourceMapping(scope, id, {
        target: worker,
        eventSourceArn: from.queueArn,
        reportBatchItemFailures: true,
        // Left out where it is on: what an operator has switched off stays off when the stack is deployed again.
        ...(!enabled && { enabled }),
        ...props,
      });
    };
    return {
      inlet: queueInlet(queue, selectEnvelope),
      queue,
      retryQueue,
      environment: { [QUEUE_URL]: queue.queueUrl, [RETRY_QUEUE_URL]: retryQueue.queueUrl },
      feed: (worker) => {
        grantSend(retryQueue, worker);
        return [
          feed('Mapping', queue, worker, {
            batchSize: batch.messages,
            maxBatchingWindow: batch.interval,
            ...(maxConcurrency !== undefined && { maxConcurrency }),
          }),
          // Without a window, so that a retry comes when it is due.
          feed('RetryMapping', retryQueue, worker, {
            batchSize: 10,
            ...(maxConcurrency !== undefined && { maxConcurrency: RETRIES_AT_ONCE }),
          }),
        ];
      },
    };
  }
}

/** The fewest that AWS Lambda takes. */
export const RETRIES_AT_ONCE = 2;

import { Annotations, Duration, Stack, Token } from 'aws-cdk-lib';
import {
  type CfnEventSourceMapping,
  EventSourceMapping,
  type EventSourceMappingProps,
  type IFunction,
} from 'aws-cdk-lib/aws-lambda';
import { CfnQueue, type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct, IConstruct } from 'constructs';
import { QUEUE_URL, RETRY_QUEUE_URL } from '../../lambdas/core/environment.ts';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import { checkRetention, warnOfRetention } from '../dead-letter-queue.ts';
import { checkProps, DURATION, type OptionTypes, QUEUE } from '../props.ts';
import { selectEnvelope } from '../source/rule-sql.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import type { BufferBinding, BufferConfig, IBuffer } from './buffer.ts';
import { queueInlet } from './inlet.ts';
import { grantReceive, grantSend } from './queue-grants.ts';

export interface QueueBufferProps {
  /**
   * A standard queue of the task's stack. Only this task may read it, and only this task's source may write to it. Its visibility
   * timeout is at least six times the worker's timeout plus the interval of `batchPush`.
   *
   * @default - a queue of the task
   */
  readonly queue?: IQueue;
  /**
   * Retention of the queue, at least 1 minute and shorter than the dead-letter queue's, which is 14 days by default. SQS deletes an
   * older message without a dead letter. The retry queue has the same retention, but at least 4 days, so that a message outlasts
   * its retry delays.
   *
   * @default Duration.days(4)
   */
  readonly retentionPeriod?: Duration;
}

const OPTIONS: OptionTypes<QueueBufferProps> = { queue: QUEUE, retentionPeriod: DURATION };

const DEFAULT_RETENTION = Duration.days(4);

// The worker writes dead letters itself. The maximum receive count is the last resort, for a message that kills the function.
const MAX_RECEIVE_COUNT = 1_000;

/**
 * An SQS standard queue. It costs nothing while it is idle, and each message is retried for itself. It keeps no order; the SQS action
 * of a topic rule cannot send to FIFO queues.
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
    checkProps(`${option}.buffer`, this.#props, OPTIONS, TASK_ADVICE);
    const retentionPeriod = this.#props.retentionPeriod ?? DEFAULT_RETENTION;
    const seconds = checkRetention(`${option}.buffer.retentionPeriod`, retentionPeriod, scope, deadLetterQueue);
    const retryRetention = seconds > DEFAULT_RETENTION.toSeconds() ? retentionPeriod : DEFAULT_RETENTION;
    warnOfRetention(scope, retryRetention, deadLetterQueue);
    const visibilitySeconds = (windowSeconds: number) => 6 * workerTimeout.toSeconds() + windowSeconds;
    const make = (id: string, windowSeconds: number, retentionPeriod: Duration) =>
      new Queue(scope, id, {
        retentionPeriod,
        // AWS Lambda, "Using Lambda with Amazon SQS": six times the function's timeout plus the batching window.
        visibilityTimeout: Duration.seconds(visibilitySeconds(windowSeconds)),
        deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: MAX_RECEIVE_COUNT },
        enforceSSL: true,
        ...(encryptionKey === undefined
          ? { encryption: QueueEncryption.SQS_MANAGED }
          : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey }),
        removalPolicy,
      });
    if (maxConcurrency === undefined)
      Annotations.of(scope).addInfo(
        "maxConcurrency: without it, a backlog may take every concurrent execution of the account's quota, which is 1,000 by default, " +
          'and throttle other functions, the control function among them',
      );
    const windowSeconds = batch.interval.toSeconds();
    const given = this.#givenQueue(scope, `${option}.buffer`, visibilitySeconds(windowSeconds));
    const queue = given ?? make('Queue', windowSeconds, retentionPeriod);
    const retryQueue = make('RetryQueue', 0, retryRetention);

    const feed = (id: string, from: IQueue, worker: IFunction, props: Partial<EventSourceMappingProps>) => {
      grantReceive(from, worker);
      const mapping = new EventSourceMapping(scope, id, {
        target: worker,
        eventSourceArn: from.queueArn,
        reportBatchItemFailures: true,
        // The template never contains `true`, so that a deployment does not resume a task that an operator paused.
        ...(!enabled && { enabled }),
        ...props,
      });
      // Without a value, CloudFormation sends an empty object, which removes a limit; without the property, it keeps the old limit.
      if (props.maxConcurrency === undefined)
        (mapping.node.defaultChild as CfnEventSourceMapping).scalingConfig = {
          maximumConcurrency: Token.asNumber({ Ref: 'AWS::NoValue' }),
        };
      return mapping;
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
          // A batching window would delay a retry beyond its time.
          feed('RetryMapping', retryQueue, worker, {
            batchSize: 10,
            ...(maxConcurrency !== undefined && { maxConcurrency: RETRY_CONCURRENCY }),
          }),
        ];
      },
    };
  }

  #givenQueue(task: Construct, option: string, atLeast: number): IQueue | undefined {
    const { queue, retentionPeriod } = this.#props;
    if (queue === undefined) return undefined;
    const refuse = (given: string, expected: string) => {
      throw new InvalidOptionError(`${option}.queue`, described(given), expected);
    };
    if (retentionPeriod !== undefined)
      throw new InvalidOptionError(
        `${option}.retentionPeriod`,
        described(retentionPeriod.toHumanString()),
        'none with queue: the queue has its own retention',
      );
    const resource = queue.node.defaultChild;
    if (!(resource instanceof CfnQueue) || Stack.of(queue) !== Stack.of(task))
      refuse('a queue of another stack', "a queue of the task's stack, where the commands find it");
    if (queue.fifo) refuse('a FIFO queue', 'a standard queue: the SQS action of a topic rule sends to no other');
    const other = taken.get(queue);
    if (other !== undefined)
      refuse(`the queue of ${other.node.path}`, 'a queue of its own: each task would receive the messages of both');
    taken.set(queue, task);
    const { visibilityTimeout = 30 } = resource as CfnQueue;
    if (!Token.isUnresolved(visibilityTimeout) && visibilityTimeout < atLeast)
      refuse(
        `a visibility timeout of ${visibilityTimeout} seconds`,
        `at least ${atLeast} seconds: six times the worker's timeout, and the interval of batchPush`,
      );
    return queue;
  }
}

const taken = new WeakMap<IConstruct, Construct>();

/** Concurrent batches of the retry queue: the minimum of AWS Lambda's maximum concurrency. */
export const RETRY_CONCURRENCY = 2;

import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { EventPattern } from '../lambdas/core/pattern/event-pattern.ts';
import type { TransformStep } from '../lambdas/core/spec.ts';
import type { MissingVariable } from '../lambdas/core/template/template.ts';
import type { BatchPush } from './buffer/batch-push.ts';
import type { IBuffer } from './buffer/buffer.ts';
import type { ISink } from './deliver/sink.ts';
import type { AlarmOptions } from './observe.ts';
import type { RetryPolicy } from './retry.ts';
import type { RouteOptions } from './route.ts';
import type { ISource } from './source/source.ts';
import type { WorkerOptions } from './worker-options.ts';

/** @typeParam Overrides Options of the sink that a route can override; inferred from the sink. */
export interface OutflowTaskProps<Overrides extends object = object> extends WorkerOptions {
  /** Where the messages come from. */
  readonly source: ISource;
  /** Where the messages are delivered. */
  readonly sink: ISink<Overrides>;
  /**
   * What keeps the messages until they are delivered: a {@link QueueBuffer}, a {@link StreamBuffer} or a {@link NoBuffer}.
   *
   * @default new QueueBuffer()
   */
  readonly buffer?: IBuffer;
  /**
   * Size of a batch: 1 to 10,000 `messages`, or the messages of an `interval` of 0 to 15 whole seconds, whichever comes first. AWS
   * Lambda requires a batching window of at least 1 second for more than 10 messages, so interval 0 becomes 1 second there (AWS
   * Lambda, "Batching behavior"; ApsaraMQ for MQTT, "batch push").
   *
   * @default - up to 10 messages without a window; with StreamBuffer, up to 100
   */
  readonly batchPush?: BatchPush;
  /**
   * EventBridge event pattern that a message's event has to match; other messages are dropped and counted as filtered. See
   * docs/event-patterns.md. Give a pattern in a variable the type {@link EventPattern}.
   *
   * @default - every message matches
   */
  readonly filter?: EventPattern;
  /**
   * Steps that process a record after the filter, in order. A step is an object with one key: `{ filter: <event pattern> }` drops
   * the records that the pattern does not match.
   *
   * @default - no steps
   */
  readonly transform?: readonly TransformStep[];
  /**
   * Overrides of the sink's options, such as topic, key, tag or stream, by a record's event type, topic or content.
   *
   * @default - the sink's options hold for every record
   */
  readonly route?: RouteOptions<NoInfer<Overrides>>;
  /**
   * What a template renders for a placeholder without a value: `fail` dead-letters the message with the code
   * TEMPLATE_VARIABLE_MISSING, `empty` renders nothing, `undefined` renders the word `undefined`, as EMQX does.
   *
   * @default 'fail'
   */
  readonly missingVariable?: MissingVariable;
  /**
   * Whether a payload that is not of the source's data format is dead-lettered even if no step and no template reads it.
   *
   * @default false
   */
  readonly validatePayload?: boolean;
  /**
   * Receives the messages that cannot be delivered, each with its reason. It is a standard queue of the stack's account and region.
   * It holds whole messages, so encrypt it as you encrypt the buffer. Its retention has to be longer than the buffer's and longer
   * than 4 days, because a message that SQS moves there keeps its enqueue timestamp (Amazon SQS, "Using dead-letter queues");
   * synth warns if it is shorter or, as of an imported queue, unknown.
   *
   * @default - a queue of the task that keeps messages for 14 days
   */
  readonly deadLetterQueue?: IQueue;
  /**
   * Which failed deliveries are retried, when, and how often.
   *
   * @default RetryPolicy.backoff()
   */
  readonly retryPolicy?: RetryPolicy;
  /**
   * What happens when a message's retries are exhausted: `allowed` moves the message to the dead-letter queue and continues;
   * `prohibited` keeps the message and stops the task (status Ready) until an operator enables it (Alibaba Cloud EventBridge, "Retry
   * policies and dead-letter queues").
   *
   * @default 'allowed'
   */
  readonly faultTolerance?: 'allowed' | 'prohibited';
  /**
   * Where a message goes when its retries are exhausted, with faults allowed. A dropped message is counted.
   *
   * @default 'deadLetter'
   */
  readonly onExhausted?: 'deadLetter' | 'drop';
  /**
   * What happens to a message that no retry can deliver, with faults prohibited. `block` stops the task (status Ready), so that any
   * publisher can stop it with one malformed message; synth warns of that.
   *
   * @default 'deadLetter'
   */
  readonly poison?: 'block' | 'deadLetter';
  /**
   * Age at which a message expires, in whole seconds. Time in which the task is paused or stopped does not count. EMQX's request TTL
   * is 45 seconds. Sinks that publish by MQTT 5 give a message the time that it has left as its message expiry.
   *
   * @default - messages do not expire
   */
  readonly requestTtl?: Duration;
  /**
   * Where an expired message goes. A dropped message is counted.
   *
   * @default 'deadLetter'
   */
  readonly onExpired?: 'deadLetter' | 'drop';
  /**
   * Concurrent batches, 2 to 1,000 (AWS Lambda, "Configuring maximum concurrency for Amazon SQS event sources"). The retry queue
   * adds two more. Only with QueueBuffer.
   *
   * @default - as many as AWS Lambda starts
   */
  readonly maxConcurrency?: number;
  /**
   * Maximum of records per second, divided evenly among the concurrent batches; needs `maxConcurrency`.
   *
   * @default - no limit
   */
  readonly rateLimit?: number;
  /**
   * Whether the task runs after its first deployment. Later, only `outflow enable` and `outflow pause` change that; a deployment
   * does not.
   *
   * @default true
   */
  readonly enabled?: boolean;
  /**
   * Name of the task in metrics, alarms, dead letters and the `outflow` command: 1 to 64 letters, digits, `-` and `_`, unique in
   * the stack.
   *
   * @default - the construct's id
   */
  readonly taskName?: string;
  /**
   * Description of the task, up to 1,024 characters; the descriptions of its rules and its worker show the beginning.
   *
   * @default - none
   */
  readonly description?: string;
  /**
   * Key that encrypts the task's queues, or its stream.
   *
   * @default - keys managed by AWS
   */
  readonly encryptionKey?: IKey;
  /**
   * What happens to the task's queues, stream and log group, with their contents, when the task is removed.
   *
   * @default RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE: they are kept, except those of a first deployment that fails
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * What the worker logs. `info`: one line for each batch, with its metrics. `warn`: no line for a batch of which every record was
   * delivered or filtered; the metrics `Delivered` and `Filtered` then leave these batches out. `debug`: also where the sink stored each
   * record, such as shard and sequence number.
   *
   * @default info
   */
  readonly logLevel?: 'debug' | 'info' | 'warn';
  /**
   * The task's alarms and their thresholds; `false` for no alarms. The description of each alarm links its runbook article.
   *
   * @default - every alarm that applies to the task
   */
  readonly alarms?: AlarmOptions | false;
  /**
   * Notified when an alarm goes off and when it is over. The policies of the topic and of its key, if it has one, must allow
   * CloudWatch to publish (Amazon CloudWatch, "Using Amazon CloudWatch alarms"). The policy of a topic that CDK makes without a key
   * does.
   *
   * @default - no notifications
   */
  readonly alarmTopic?: ITopic;
  /**
   * Actions of the alarms in addition to `alarmTopic`, when an alarm goes off and when it is over.
   *
   * @default - none
   */
  readonly alarmActions?: readonly IAlarmAction[];
}

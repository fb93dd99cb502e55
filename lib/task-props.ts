import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
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

/** @typeParam Overrides Options of the sink that a route can override; inferred from the sink. */
export interface OutflowTaskProps<Overrides extends object = object> {
  /** Where messages come from. */
  readonly source: ISource;
  /** Where they are delivered. */
  readonly sink: ISink<Overrides>;
  /**
   * What keeps them in between.
   *
   * @default new QueueBuffer()
   */
  readonly buffer?: IBuffer;
  /**
   * Deliver in batches: 1 to 10,000 `messages` or an `interval` of 0 to 15 seconds, whichever comes first (rows D7–D9).
   * AWS Lambda wants a window of a second for more than ten messages, so with interval 0 those get one.
   *
   * @default - up to 10 messages, as soon as there are any
   */
  readonly batchPush?: BatchPush;
  /**
   * EventBridge event pattern over the message's event; what it does not match is dropped and counted (rows D2, D10).
   *
   * @default - every message passes
   */
  readonly filter?: EventPattern;
  /**
   * Steps that a record takes after the filter, in order. A step is an object of one key: `{ filter: <event pattern> }`
   * drops the records that the pattern does not match.
   *
   * @default - no steps
   */
  readonly transform?: readonly TransformStep[];
  /**
   * Where each record goes, by its kind, topic or content: other targets of the sink, such as topic, key, tag or stream (row A9).
   *
   * @default - all of them go where the sink says
   */
  readonly route?: RouteOptions<NoInfer<Overrides>>;
  /**
   * What a template placeholder without a value does: refuse the message (to the dead-letter queue), write nothing, or write
   * the word `undefined` (row E17).
   *
   * @default 'fail'
   */
  readonly missingVariable?: MissingVariable;
  /**
   * Refuse payloads that are not of the source's data format even where nothing reads them.
   *
   * @default false
   */
  readonly validatePayload?: boolean;
  /**
   * Takes messages that cannot be delivered, each with its reason: a standard queue of the stack's account and region, whose
   * retention is longer than the buffer's, and than 4 days, for what SQS itself moves there keeps its age. Synth warns where
   * that is not so, or cannot be seen, as of a queue that is imported. What it holds are whole messages: encrypt it as you
   * would the buffer.
   *
   * @default - a queue of the task's own that keeps them 14 days
   */
  readonly deadLetterQueue?: IQueue;
  /**
   * Which failed deliveries are tried again, when, and how often (row D18).
   *
   * @default RetryPolicy.backoff()
   */
  readonly retryPolicy?: RetryPolicy;
  /**
   * What happens when a message's retries are over: `allowed` moves it to the dead-letter queue and goes on; `prohibited`
   * stops the task (status Ready) and keeps the message until somebody enables the task again (row D18).
   *
   * @default 'allowed'
   */
  readonly faultTolerance?: 'allowed' | 'prohibited';
  /**
   * Where a message goes whose retries are over, with faults allowed. A drop is counted.
   *
   * @default 'deadLetter'
   */
  readonly onExhausted?: 'deadLetter' | 'drop';
  /**
   * What a message does that can never be delivered as it is, with faults prohibited.
   *
   * @default 'block'
   */
  readonly poison?: 'block' | 'deadLetter';
  /**
   * Messages older than this are not sent any more; the time that the task is paused or stopped does not count. EMQX's
   * request TTL is 45 seconds (row C38).
   *
   * @default - messages do not expire
   */
  readonly requestTtl?: Duration;
  /**
   * Where an expired message goes. A drop is counted.
   *
   * @default 'deadLetter'
   */
  readonly onExpired?: 'deadLetter' | 'drop';
  /**
   * Batches under way at a time, 2 to 1,000; retries add two more (row A8).
   *
   * @default - as many as AWS Lambda starts
   */
  readonly maxConcurrency?: number;
  /**
   * Records a second that the sink is given at most, shared evenly by all that may be under way; needs `maxConcurrency`.
   *
   * @default - as fast as the sink takes them
   */
  readonly rateLimit?: number;
  /**
   * Whether the task runs as soon as it is deployed for the first time (row D19). Afterwards `outflow enable` and
   * `outflow pause` decide, and a deployment leaves that alone.
   *
   * @default true
   */
  readonly enabled?: boolean;
  /**
   * 1 to 64 letters, digits, `-` and `_` (row D4).
   *
   * @default - the construct's id
   */
  readonly taskName?: string;
  /** @default - none */
  readonly description?: string;
  /**
   * Key that encrypts the queues.
   *
   * @default - keys managed by SQS
   */
  readonly encryptionKey?: IKey;
  /**
   * What happens to the queues, and what is in them, when the task is removed.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * Takes the worker's log.
   *
   * @default - a log group of the task's own that keeps a month
   */
  readonly logGroup?: ILogGroup;
  /**
   * The worker's memory in MiB, 128 to 10,240; its share of CPU grows with it.
   *
   * @default 512
   */
  readonly memorySize?: number;
  /**
   * Which alarms the task has, and when they go off; `false` for none. Each description names the alarm's runbook article.
   *
   * @default - all that the task's parts can raise
   */
  readonly alarms?: AlarmOptions | false;
  /**
   * Told when an alarm goes off, and when it is over. Its policy must let CloudWatch publish, and so must its key's where it
   * has one (Amazon CloudWatch, "Using Amazon CloudWatch alarms": encrypted topics); a topic that CDK makes without a key does.
   *
   * @default - nobody is told
   */
  readonly alarmTopic?: ITopic;
}

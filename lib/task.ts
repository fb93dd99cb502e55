import { Annotations, Duration, RemovalPolicy, Stack, Tags, Token } from 'aws-cdk-lib';
import type { Alarm, Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { INITIAL_STATE, type TaskState } from '../lambdas/core/control.ts';
import { InvalidOptionError } from '../lambdas/core/errors.ts';
import type { MetricName } from '../lambdas/core/metrics.ts';
import { parseOptions, SPEC_VERSION, taskSpec } from '../lambdas/core/spec.ts';
import type { MissingVariable } from '../lambdas/core/template/template.ts';
import { workerCode } from './asset.ts';
import type { BatchPush, IBuffer } from './buffer/buffer.ts';
import { grantSend, QueueBuffer, RETRIES_AT_ONCE } from './buffer/queue-buffer.ts';
import { checkNetwork } from './connector/network.ts';
import { refuseIdle } from './contradictions.ts';
import { Control } from './control.ts';
import { OWN_RETENTION, refuseFifo } from './dead-letter-queue.ts';
import type { ISink } from './deliver/sink.ts';
import { grantControl, grantRedrive, type OperatedParts } from './grants.ts';
import { addTaskMetadata } from './metadata.ts';
import { type AlarmOptions, addAlarms, taskMetric } from './observe.ts';
import { type RetryPolicy, wholeSeconds } from './retry.ts';
import { ruleArn, ruleRole } from './rule-role.ts';
import type { ISource } from './source/source.ts';
import { type DeployTimeEnvironment, moveTokens } from './tokens.ts';
import { addTopology } from './topology.ts';
import { insteadOf } from './unknown-option.ts';
import { WORKER_TIMEOUT, worker } from './worker.ts';

export interface OutflowTaskProps {
  /** Where messages come from. */
  readonly source: ISource;
  /** Where they are delivered. */
  readonly sink: ISink;
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
  readonly filter?: object;
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
   * Takes messages that cannot be delivered, each with its reason: a standard queue whose retention is longer than the
   * buffer's, for what SQS itself moves there keeps its age. Synth warns where that is not so, or cannot be seen, as of a queue
   * that is imported. What it holds are whole messages: encrypt it as you would the buffer.
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

/**
 * Forwards MQTT messages from a source to a sink (ApsaraMQ for MQTT: outflow task; EMQX: rule and data bridge; rows D1–D24).
 *
 * @throws InvalidOptionError at synth for anything that could not work once deployed.
 */
export class OutflowTask extends Construct {
  readonly taskName: string;
  readonly rules: readonly CfnTopicRule[];
  readonly deadLetterQueue: IQueue;
  /** The buffer's queue; undefined for a buffer that has none. */
  readonly queue: IQueue | undefined;
  /** Where messages wait for their next try; undefined for a buffer that has none. */
  readonly retryQueue: IQueue | undefined;
  /** The task's function; undefined where IoT Core delivers by itself. */
  readonly worker: LambdaFunction | undefined;
  readonly alarms: readonly Alarm[];
  readonly #operated: OperatedParts;

  constructor(scope: Construct, id: string, props: OutflowTaskProps) {
    super(scope, id);
    refuseUnknown(id, props);
    refuseIdle(id, props);
    if (props.deadLetterQueue !== undefined) refuseFifo(`${id}.deadLetterQueue`, props.deadLetterQueue);
    this.taskName = props.taskName ?? id;
    const environment: DeployTimeEnvironment = {};
    const spec = parseSpecAtSynth(this.taskName, props, environment);
    const description =
      `Outflow task ${this.taskName}${props.description === undefined ? '' : `: ${props.description}`}`.slice(0, 256);
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;

    const role = ruleRole(this);
    this.deadLetterQueue = props.deadLetterQueue ?? this.#ownDeadLetterQueue(props.encryptionKey, removalPolicy);
    grantSend(this.deadLetterQueue, role);
    const sink = props.sink.bind(this);
    const buffer = (props.buffer ?? new QueueBuffer()).bind(this, {
      option: id,
      ruleRole: role,
      deadLetterQueue: this.deadLetterQueue,
      sink,
      workerOptions: {
        filter: props.filter,
        batchPush: props.batchPush,
        missingVariable: props.missingVariable,
        validatePayload: props.validatePayload || undefined,
        retryPolicy: props.retryPolicy && 'a policy',
        faultTolerance: props.faultTolerance,
        onExhausted: props.onExhausted,
        poison: props.poison,
        requestTtl: props.requestTtl && 'a duration',
        onExpired: props.onExpired,
        maxConcurrency: props.maxConcurrency,
        rateLimit: props.rateLimit,
        enabled: props.enabled,
      },
      maxConcurrency: props.maxConcurrency,
      enabled: props.enabled ?? true,
      batch: this.#batch(props.batchPush, props.buffer?.messagesByDefault),
      workerTimeout: WORKER_TIMEOUT,
      encryptionKey: props.encryptionKey,
      removalPolicy,
    });
    const { rules, filters } = props.source.bind(this, {
      option: `${id}.source`,
      select: buffer.select,
      action: buffer.action,
      errorAction: { sqs: { queueUrl: this.deadLetterQueue.queueUrl, roleArn: role.roleArn, useBase64: false } },
      description,
    });
    // A rule that may not write yet would lose what is published meanwhile.
    for (const rule of rules) rule.node.addDependency(role);

    this.rules = rules;
    this.queue = buffer.queue;
    this.retryQueue = buffer.retryQueue;
    const { queue, retryQueue, stream } = buffer;
    const parts = { rules, queue, retryQueue, stream, deadLetterQueue: this.deadLetterQueue, writesTo: sink.writesTo };
    if (buffer.feed === undefined) {
      addTaskMetadata(this, spec, filters, parts);
      this.#operated = parts;
    } else {
      const control = Control.of(this);
      const state = new StringParameter(this, 'State', {
        description: `State of Outflow task ${this.taskName}`,
        // Written at the first deployment; from then on it is the control function's.
        stringValue: JSON.stringify(initialState(props.enabled ?? true)),
      });
      const { worker: fn, live } = worker(this, {
        code: workerCode(props.sink.type, spec),
        environment: {
          ...environment,
          ...buffer.environment,
          ...sink.environment,
          DEAD_LETTER_QUEUE_URL: this.deadLetterQueue.queueUrl,
          CONTROL_QUEUE_URL: control.queue.queueUrl,
          STACK_NAME: Stack.of(this).stackName,
          RULE_ARNS: rules.map(ruleArn).join(','),
          TARGET_ARN: sink.targetArn,
          ...(props.requestTtl !== undefined && { STATE_PARAMETER: state.parameterName }),
        },
        description,
        memorySize: props.memorySize ?? 512,
        logGroup: props.logGroup,
        removalPolicy,
        network: sink.network,
      });
      this.worker = fn;
      if (sink.network !== undefined)
        checkNetwork(this, `${id}.sink`, sink.network, ['sqs', ...(props.requestTtl === undefined ? [] : ['ssm'])]);
      sink.grantDeliver(fn);
      grantSend(this.deadLetterQueue, fn);
      control.grantAsk(fn);
      if (props.requestTtl !== undefined)
        Grant.addToPrincipal({ grantee: fn, actions: ['ssm:GetParameter'], resourceArns: [state.parameterArn] });
      const mappings = buffer.feed(live);
      control.add(this, this.taskName, { mappings, rules, worker: fn, live, retryQueue, state });
      this.#operated = { ...parts, controlled: { control, state, mappings, live } };
      const controlled = { state, controlQueue: control.queue, controlFunction: control.function };
      addTaskMetadata(this, spec, filters, { ...parts, worker: fn, mappings, ...controlled });
    }
    this.alarms = addAlarms(this, id, props.alarms ?? {}, props.alarmTopic, {
      ...parts,
      task: this.taskName,
      worker: this.worker,
    });
    addTopology(this);
    Tags.of(this).add('outflow:task', this.taskName);
  }

  /** A metric of the task; a sum over 5 minutes unless the options say otherwise (row C8). Nothing is written while it is zero. */
  metric(name: MetricName, options?: MetricOptions): Metric {
    return taskMetric(this, this.taskName, name, options);
  }

  /** Messages that the sink took. One that is delivered twice counts twice. */
  metricDelivered(options?: MetricOptions): Metric {
    return this.metric('Delivered', options);
  }

  /** Messages that the filter dropped. */
  metricFiltered(options?: MetricOptions): Metric {
    return this.metric('Filtered', options);
  }

  /** Failed tries that are followed by another. */
  metricRetried(options?: MetricOptions): Metric {
    return this.metric('Retried', options);
  }

  /** Messages that were put off without a try: no time was left, or the task had stopped. */
  metricParked(options?: MetricOptions): Metric {
    return this.metric('Parked', options);
  }

  /** Messages that became older than the request TTL. */
  metricExpired(options?: MetricOptions): Metric {
    return this.metric('Expired', options);
  }

  /** Messages that were dropped after their last retry, where `onExhausted` says so. */
  metricDropped(options?: MetricOptions): Metric {
    return this.metric('Dropped', options);
  }

  /** Messages that the worker moved to the dead-letter queue. */
  metricDeadLettered(options?: MetricOptions): Metric {
    return this.metric('DeadLettered', options);
  }

  /**
   * Allows what `outflow status`, `enable`, `pause` and `test-connectivity` need: reading the stack, the task's state, mappings
   * and queue attributes, invoking the worker, and asking the stack's control, which does not tell its tasks apart.
   */
  grantControl(grantee: IGrantable): Grant {
    return grantControl(this, this.#operated, grantee);
  }

  /** Allows what `outflow dlq` and `redrive` need: reading the stack, taking dead letters, and sending to the task's queue. */
  grantRedrive(grantee: IGrantable): Grant {
    return grantRedrive(this, this.#operated, grantee);
  }

  #ownDeadLetterQueue(key: IKey | undefined, removalPolicy: RemovalPolicy): Queue {
    return new Queue(this, 'DeadLetterQueue', {
      retentionPeriod: OWN_RETENTION,
      enforceSSL: true,
      ...(key === undefined
        ? { encryption: QueueEncryption.SQS_MANAGED }
        : { encryption: QueueEncryption.KMS, encryptionMasterKey: key }),
      removalPolicy,
    });
  }

  #batch(batchPush: BatchPush | undefined, byDefault = 10): BatchPush {
    if (batchPush === undefined) return { messages: byDefault, interval: Duration.seconds(0) };
    const { messages, interval } = batchPush;
    if (messages <= 10 || interval.toSeconds() > 0) return batchPush;
    Annotations.of(this).addInfo(
      `batchPush: AWS Lambda collects more than 10 messages only within a window, so ${messages} messages with interval 0 wait up to 1 second.`,
    );
    return { messages, interval: Duration.seconds(1) };
  }
}

const OPTIONS: Record<keyof OutflowTaskProps, true> = {
  source: true,
  sink: true,
  buffer: true,
  batchPush: true,
  filter: true,
  missingVariable: true,
  validatePayload: true,
  deadLetterQueue: true,
  taskName: true,
  description: true,
  encryptionKey: true,
  removalPolicy: true,
  retryPolicy: true,
  faultTolerance: true,
  onExhausted: true,
  poison: true,
  requestTtl: true,
  onExpired: true,
  maxConcurrency: true,
  rateLimit: true,
  enabled: true,
  logGroup: true,
  memorySize: true,
  alarms: true,
  alarmTopic: true,
};

function refuseUnknown(id: string, props: OutflowTaskProps): void {
  for (const [name, given] of Object.entries(props)) {
    if (Object.hasOwn(OPTIONS, name)) continue;
    const instead = insteadOf(name);
    // A name that EMQX has may hold a password.
    if (instead !== undefined) throw new InvalidOptionError(`${id}.${name}`, 'unknown option', instead);
    throw new InvalidOptionError(`${id}.${name}`, given, `one of ${Object.keys(OPTIONS).join(', ')}`);
  }
}

function parseSpecAtSynth(task: string, props: OutflowTaskProps, environment: DeployTimeEnvironment) {
  const { description, source, batchPush, filter, missingVariable, validatePayload, sink } = props;
  const { retryPolicy, faultTolerance, onExhausted, poison, requestTtl, onExpired } = props;
  const declared = {
    v: SPEC_VERSION,
    task,
    description,
    source: source.spec,
    buffer: props.buffer?.spec,
    batchPush: batchPush === undefined ? undefined : inSeconds(task, batchPush),
    filter,
    missingVariable,
    validatePayload,
    retryPolicy: retryPolicy?.toSpec(`${task}.retryPolicy`),
    faultTolerance,
    onExhausted,
    poison,
    requestTtlSeconds: requestTtl && wholeSeconds(requestTtl, `${task}.requestTtl`),
    onExpired,
    recordsPerSecond: shareOfRate(task, props),
    sink: sink.spec,
  };
  const given = Object.fromEntries(Object.entries(declared).filter(([, value]) => value !== undefined));
  const allowed = new Set(sink.deployTime.map((path) => `sink.${path}`));
  return parseOptions(taskSpec(sink.options), moveTokens(given, allowed, task, environment), task, insteadOf) as {
    task: string;
    sink: { type: string };
  };
}

function shareOfRate(task: string, { rateLimit, maxConcurrency }: OutflowTaskProps): number | undefined {
  if (
    maxConcurrency !== undefined &&
    !(Number.isInteger(maxConcurrency) && maxConcurrency >= 2 && maxConcurrency <= 1000)
  )
    throw new InvalidOptionError(`${task}.maxConcurrency`, maxConcurrency, 'a whole number from 2 to 1,000');
  if (rateLimit === undefined) return undefined;
  if (!(rateLimit > 0 && rateLimit < Infinity))
    throw new InvalidOptionError(`${task}.rateLimit`, rateLimit, 'a number above 0');
  if (maxConcurrency === undefined)
    throw new InvalidOptionError(
      `${task}.rateLimit`,
      rateLimit,
      'maxConcurrency beside it: the rate is shared by so many',
    );
  return rateLimit / (maxConcurrency + RETRIES_AT_ONCE);
}

function initialState(enabled: boolean): TaskState {
  return { ...INITIAL_STATE, ...(!enabled && { desired: 'Paused' }) };
}

function inSeconds(task: string, { interval, ...rest }: BatchPush) {
  if (Token.isUnresolved(interval))
    throw new InvalidOptionError(`${task}.batchPush.interval`, 'a CDK token', 'a Duration known at synth');
  return { ...rest, intervalSeconds: interval.toSeconds({ integral: false }) };
}

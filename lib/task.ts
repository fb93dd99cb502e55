import { Annotations, Duration, RemovalPolicy, Stack, Tags } from 'aws-cdk-lib';
import type { Alarm, Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { described } from '../lambdas/core/errors.ts';
import type { MetricName } from '../lambdas/core/metrics.ts';
import { UNWRITTEN_STATE } from '../lambdas/core/task-state.ts';
import { workerCode } from './asset.ts';
import type { BatchPush } from './buffer/buffer.ts';
import { grantSend, QueueBuffer } from './buffer/queue-buffer.ts';
import { checkNetwork } from './connector/network.ts';
import { refuseIdle } from './contradictions.ts';
import { Control } from './control.ts';
import { checkDeadLetterQueue, OWN_RETENTION } from './dead-letter-queue.ts';
import { grantControl, grantRedrive, type OperatedParts } from './grants.ts';
import { addTaskMetadata } from './metadata.ts';
import { addAlarms, taskMetric } from './observe.ts';
import { ruleArns } from './rule-arns.ts';
import { ruleRole } from './rule-role.ts';
import { type OutflowTaskProps, refuseUnknown } from './task-props.ts';
import { parseSpecAtSynth } from './task-spec.ts';
import type { DeployTimeEnvironment } from './tokens.ts';
import { addTopology } from './topology.ts';
import { WORKER_TIMEOUT, worker } from './worker.ts';

const TASK_TAG = 'outflow:task';

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
    if (props.deadLetterQueue !== undefined) checkDeadLetterQueue(this, `${id}.deadLetterQueue`, props.deadLetterQueue);
    this.taskName = props.taskName ?? id;
    const environment: DeployTimeEnvironment = {};
    const spec = parseSpecAtSynth(this.taskName, props, environment);
    const description =
      `Outflow task ${this.taskName}${props.description === undefined ? '' : `: ${props.description}`}`.slice(0, 256);
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;

    const role = ruleRole(this);
    this.deadLetterQueue = props.deadLetterQueue ?? this.#ownDeadLetterQueue(props.encryptionKey, removalPolicy);
    grantSend(this.deadLetterQueue, role);
    const sink = props.sink.bind(this, props.route?.routes ?? []);
    const buffer = (props.buffer ?? new QueueBuffer()).bind(this, {
      option: id,
      ruleRole: role,
      deadLetterQueue: this.deadLetterQueue,
      sink,
      workerOptions: {
        filter: props.filter,
        transform: props.transform && 'steps',
        route: props.route && 'routes',
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
        memorySize: props.memorySize,
        logGroup: props.logGroup && described('a log group'),
      },
      sourceOptions: props.source.workerOptions ?? {},
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
      queue: buffer.queue,
      deadLetterQueue: this.deadLetterQueue,
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
      // Written at the first deployment; from then on it is the control function's. CloudFormation writes a parameter anew
      // whenever anything of it changes, so nothing of this one does.
      const state = new StringParameter(this, 'State', {
        description: 'State of an Outflow task',
        stringValue: UNWRITTEN_STATE,
      });
      Tags.of(state).remove(TASK_TAG);
      const enabled = props.enabled ?? true;
      const { worker: fn, live } = worker(this, {
        code: workerCode(props.sink.type, spec),
        environment: {
          ...environment,
          ...buffer.environment,
          ...sink.environment,
          DEAD_LETTER_QUEUE_URL: this.deadLetterQueue.queueUrl,
          CONTROL_QUEUE_URL: control.queue.queueUrl,
          STACK_NAME: Stack.of(this).stackName,
          RULE_ARNS: ruleArns(`${id}.source`, rules),
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
      control.add(this, this.taskName, { mappings, rules, worker: fn, live, retryQueue, state, enabled });
      this.#operated = { ...parts, controlled: { control, state, mappings, live } };
      const controlled = { state, enabled, controlQueue: control.queue, controlFunction: control.function };
      addTaskMetadata(this, spec, filters, { ...parts, worker: fn, mappings, ...controlled });
    }
    this.alarms = addAlarms(this, id, props.alarms ?? {}, props.alarmTopic, {
      ...parts,
      task: this.taskName,
      worker: this.worker,
    });
    addTopology(this);
    Tags.of(this).add(TASK_TAG, this.taskName);
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

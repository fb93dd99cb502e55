import { Annotations, Duration, RemovalPolicy, Stack, Tags } from 'aws-cdk-lib';
import type { Alarm, IMetric, Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct, type IConstruct } from 'constructs';
import {
  CONTROL_QUEUE_URL,
  DEAD_LETTER_QUEUE_URL,
  RULE_ARNS,
  STACK_NAME,
  STATE_PARAMETER,
  TARGET_ARN,
} from '../lambdas/core/environment.ts';
import type { MetricName } from '../lambdas/core/metrics.ts';
import { workerCode } from './asset.ts';
import { batchWindow } from './buffer/batch-push.ts';
import { QueueBuffer } from './buffer/queue-buffer.ts';
import { Control } from './control.ts';
import { checkDeadLetterQueue, ownDeadLetterQueue } from './dead-letter-queue.ts';
import { grantControl, grantRedrive, type OperatedParts } from './grants.ts';
import { incomingMetric } from './incoming.ts';
import { addTaskMetadata, TASK_TAG } from './metadata.ts';
import { addAlarms, taskMetric } from './observe.ts';
import { refuseConflicts, workerOptions } from './option-conflicts.ts';
import { ruleArns } from './rule-arns.ts';
import { rulesOf } from './source/origin.ts';
import { checkTaskProps } from './task-options.ts';
import type { OutflowTaskProps } from './task-props.ts';
import { parseSpecAtSynth } from './task-spec.ts';
import { addStateParameter } from './task-state.ts';
import type { DeployTimeEnvironment } from './tokens.ts';
import { addTopology } from './topology.ts';
import { addWorker } from './worker.ts';
import { checkReserved, workerTimeout } from './worker-options.ts';

/** A task, as far as other constructs use it. */
export interface IOutflowTask extends IConstruct {
  /** Name of the task in metrics, alarms, dead letters and the `outflow` command. */
  readonly taskName: string;
  /** The task's specification, for `tryTask` of `mqtt-outflow/testing`. Values that are only known at deployment are variables. */
  readonly spec: object;
  /** Topic rules of the source, in the order of its filters. */
  readonly rules: readonly CfnTopicRule[];
  readonly deadLetterQueue: IQueue;
  /** The buffer's queue; undefined for a buffer without one. */
  readonly queue: IQueue | undefined;
  /** Where messages wait for their next attempt; undefined for a buffer without a queue. */
  readonly retryQueue: IQueue | undefined;
  /** The task's function; undefined without a buffer, where AWS IoT Core delivers. */
  readonly worker: LambdaFunction | undefined;
  readonly alarms: readonly Alarm[];
  /** A metric of the task; by default, the sum over 5 minutes. */
  metric(name: MetricName, options?: MetricOptions): Metric;
  /** Allows what `outflow status`, `enable`, `pause`, `test-connectivity` and, for RocketMQ, `read` need. */
  grantControl(grantee: IGrantable): Grant;
  /** Allows what `outflow dlq` and `redrive` need. */
  grantRedrive(grantee: IGrantable): Grant;
}

/**
 * Forwards MQTT messages from a source to a sink. ApsaraMQ for MQTT calls it an outflow task, EMQX a rule with a data bridge.
 *
 * @typeParam Overrides Options of the sink that a route can override; inferred from the sink.
 * @throws InvalidOptionError at synth for options that could not work once deployed.
 */
export class OutflowTask<Overrides extends object = object> extends Construct implements IOutflowTask {
  readonly taskName: string;
  readonly spec: object;
  readonly rules: readonly CfnTopicRule[];
  readonly deadLetterQueue: IQueue;
  readonly queue: IQueue | undefined;
  readonly retryQueue: IQueue | undefined;
  readonly worker: LambdaFunction | undefined;
  readonly alarms: readonly Alarm[];
  readonly #operated: OperatedParts;

  constructor(scope: Construct, id: string, props: OutflowTaskProps<Overrides>) {
    super(scope, id);
    checkTaskProps(id, props);
    refuseConflicts(id, props);
    if (props.poison === 'block')
      Annotations.of(this).addWarningV2(
        'mqtt-outflow:poisonBlocks',
        "poison: with 'block', any publisher can stop the task with one message that cannot be delivered, such as a malformed one; 'deadLetter' keeps that message and continues",
      );
    if (props.deadLetterQueue !== undefined) checkDeadLetterQueue(this, `${id}.deadLetterQueue`, props.deadLetterQueue);
    this.taskName = props.taskName ?? id;
    const environment: DeployTimeEnvironment = {};
    const spec = parseSpecAtSynth(this.taskName, props, environment);
    this.spec = spec;
    const description =
      `Outflow task ${this.taskName}${props.description === undefined ? '' : `: ${props.description}`}`.slice(0, 256);
    const {
      enabled = true,
      removalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      encryptionKey,
      requestTtl,
    } = props;
    const timeoutSeconds = workerTimeout(`${id}.timeout`, props.timeout);
    checkReserved(`${id}.reservedConcurrentExecutions`, props.reservedConcurrentExecutions, props.maxConcurrency);
    const deadLetterQueue = props.deadLetterQueue ?? ownDeadLetterQueue(this, encryptionKey, removalPolicy);

    // Each part binds to the one that it writes to, so the sink comes first and the source last.
    const sink = props.sink.bind(this, props.route?.routes ?? []);
    const buffer = (props.buffer ?? new QueueBuffer()).bind(this, {
      option: id,
      deadLetterQueue,
      sink,
      workerOptions: workerOptions(props),
      sourceOptions: props.source.workerOptions ?? {},
      batch: batchWindow(this, props.batchPush, props.buffer),
      maxConcurrency: props.maxConcurrency,
      enabled,
      workerTimeout: Duration.seconds(timeoutSeconds),
      encryptionKey,
      removalPolicy,
    });
    const { inlet, queue, retryQueue, stream } = buffer;
    const origins = props.source.bind(this, {
      option: `${id}.source`,
      inlet,
      deadLetterQueue,
      task: this.taskName,
      description,
      removalPolicy,
    });
    const parts = { queue, retryQueue, stream, deadLetterQueue };

    const listed = { origins, description: props.description, writesTo: sink.writesTo };
    if (buffer.feed === undefined) {
      this.#operated = parts;
      addTaskMetadata(this, spec, { ...parts, ...listed });
    } else {
      const control = Control.of(this);
      const state = addStateParameter(this);
      // For the time during which the task did not run, and for the messages that an operator skipped.
      const readsState = requestTtl !== undefined || props.faultTolerance === 'prohibited';
      const { worker, live } = addWorker(this, {
        option: id,
        code: workerCode(props.sink.type, spec),
        environment: {
          ...environment,
          ...buffer.environment,
          ...sink.environment,
          [DEAD_LETTER_QUEUE_URL]: deadLetterQueue.queueUrl,
          [CONTROL_QUEUE_URL]: control.queue.queueUrl,
          [STACK_NAME]: Stack.of(this).stackName,
          [RULE_ARNS]: ruleArns(`${id}.source`, origins),
          [TARGET_ARN]: sink.targetArn,
          ...(readsState && { [STATE_PARAMETER]: state.parameterName }),
        },
        parts: [this, control],
        description,
        timeoutSeconds,
        options: props,
        removalPolicy,
        sink,
        deadLetterQueue,
        controlQueue: control.queue,
        readsState: readsState ? state : undefined,
      });
      const mappings = buffer.feed(live);
      const controlled = { mappings, live, workerRole: worker.role, state, enabled };
      control.add(this, this.taskName, { ...controlled, origins, retryQueue });
      this.worker = worker;
      this.#operated = { ...parts, controlled: { ...controlled, control } };
      addTaskMetadata(this, spec, { ...parts, ...controlled, ...listed, worker, control });
    }

    this.rules = rulesOf(origins);
    this.deadLetterQueue = deadLetterQueue;
    this.queue = queue;
    this.retryQueue = retryQueue;
    this.alarms = addAlarms(this, id, props, {
      ...parts,
      task: this.taskName,
      rules: this.rules,
      worker: this.worker,
    });
    addTopology(this);
    Tags.of(this).add(TASK_TAG, this.taskName);
  }

  /** A metric of the task; by default, the sum over 5 minutes. A metric has no values while it is zero. */
  metric(name: MetricName, options?: MetricOptions): Metric {
    return taskMetric(this, this.taskName, name, options);
  }

  /**
   * Messages that reached the task, by a metric that AWS has anyway: what was sent to the buffer's queue (redriven messages count
   * again) or put into its stream. With `NoBuffer` it is what matched the topic filters of the rules, one message several times where
   * they overlap.
   */
  metricIncoming(options?: MetricOptions): IMetric {
    return incomingMetric(this, { queue: this.queue, stream: this.#operated.stream, rules: this.rules }, options);
  }

  /** Messages that were delivered. A message that is delivered twice counts twice. */
  metricDelivered(options?: MetricOptions): Metric {
    return this.metric('Delivered', options);
  }

  /** Messages that a filter dropped. */
  metricFiltered(options?: MetricOptions): Metric {
    return this.metric('Filtered', options);
  }

  /** Failed attempts that are followed by a retry. */
  metricRetried(options?: MetricOptions): Metric {
    return this.metric('Retried', options);
  }

  /** Messages that were deferred without an attempt, because the invocation had no time left or the task had stopped. */
  metricParked(options?: MetricOptions): Metric {
    return this.metric('Parked', options);
  }

  /** Messages that expired: their age exceeded `requestTtl`. */
  metricExpired(options?: MetricOptions): Metric {
    return this.metric('Expired', options);
  }

  /** Messages that were dropped after their last retry, with `onExhausted: 'drop'`. */
  metricDropped(options?: MetricOptions): Metric {
    return this.metric('Dropped', options);
  }

  /** Messages that the worker moved to the dead-letter queue. */
  metricDeadLettered(options?: MetricOptions): Metric {
    return this.metric('DeadLettered', options);
  }

  /**
   * Allows what `outflow status`, `enable`, `pause`, `test-connectivity` and, for RocketMQ, `read` need: reading the stack, the task's state, event source
   * mappings and queue attributes, invoking the worker, and sending requests to the stack's control function. The last one is a
   * permission for all tasks of the stack. `cloudwatch:GetMetricData`, for the numbers of `outflow status`, is left out: IAM can only
   * allow it for all metrics of the account.
   */
  grantControl(grantee: IGrantable): Grant {
    return grantControl(this, this.#operated, grantee);
  }

  /** Allows what `outflow dlq` and `redrive` need: reading the stack, receiving DLQ messages, and sending to the task's buffer. */
  grantRedrive(grantee: IGrantable): Grant {
    return grantRedrive(this, this.#operated, grantee);
  }
}

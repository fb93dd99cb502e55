import { createRequire } from 'node:module';
import { Duration, Stack } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  MathExpression,
  Metric,
  type MetricOptions,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { type MetricName, NAMESPACE, type TaskDimensions } from '../lambdas/core/metrics.ts';
import { wholeSeconds } from './whole-seconds.ts';

/** The alarms of a task. Each has an article in docs/runbook.md, and the price of a CloudWatch alarm. */
export interface AlarmOptions {
  /**
   * Messages wait in the dead-letter queue. Tasks that share a dead-letter queue have an alarm each.
   *
   * @default true
   */
  readonly deadLetters?: boolean;
  /**
   * The oldest message in the task's queue is older than this, in whole seconds; `false` for no alarm.
   *
   * @default Duration.minutes(15)
   */
  readonly oldestMessage?: Duration | false;
  /**
   * AWS IoT Core cannot evaluate the SQL of a topic rule; each rule has an alarm.
   *
   * @default true
   */
  readonly parseErrors?: boolean;
  /**
   * AWS IoT Core could send a message neither to the buffer nor to the dead-letter queue, so the message is lost; each rule has an
   * alarm.
   *
   * @default true
   */
  readonly errorActions?: boolean;
  /**
   * AWS IoT Core throttles a topic rule and drops its messages; each rule has an alarm.
   *
   * @default true
   */
  readonly throttledRules?: boolean;
  /**
   * The circuit is open: no message can be delivered (status Start Failed).
   *
   * @default true
   */
  readonly circuitOpen?: boolean;
  /**
   * A message blocks a task that prohibits faults (status Ready).
   *
   * @default true
   */
  readonly blocked?: boolean;
  /**
   * The records that the worker receives from a stream are older than this, in whole seconds; `false` for no alarm.
   *
   * @default Duration.minutes(15)
   */
  readonly iteratorAge?: Duration | false;
}

/** The parts of a task that have alarms. */
export interface WatchedParts {
  readonly task: string;
  readonly rules: readonly CfnTopicRule[];
  readonly deadLetterQueue: IQueue;
  readonly queue: IQueue | undefined;
  readonly worker: IFunction | undefined;
  /** The stream that the worker reads. */
  readonly stream: IStream | undefined;
}

/** A metric of the worker or the control function; by default, the sum over 5 minutes. */
export function taskMetric(scope: Construct, task: string, name: MetricName, options?: MetricOptions): Metric {
  const dimensions: TaskDimensions = { Stack: Stack.of(scope).stackName, Task: task };
  return new Metric({
    namespace: NAMESPACE,
    metricName: name,
    dimensionsMap: { ...dimensions },
    statistic: Stats.SUM,
    ...options,
  }).attachTo(scope);
}

/** The options of a task that its alarms have. */
export interface AlarmProps {
  readonly alarms?: AlarmOptions | false;
  readonly alarmTopic?: ITopic;
  readonly alarmActions?: readonly IAlarmAction[];
}

/** Makes a task's alarms. @throws InvalidOptionError for an unknown alarm, and for an age that is not whole seconds. */
export function addAlarms(
  scope: Construct,
  option: string,
  { alarms: given = {}, alarmTopic, alarmActions = [] }: AlarmProps,
  parts: WatchedParts,
): Alarm[] {
  if (given === false) {
    if (alarmTopic !== undefined)
      throw new InvalidOptionError(`${option}.alarmTopic`, described('a topic'), 'none if alarms is false');
    if (alarmActions.length > 0)
      throw new InvalidOptionError(`${option}.alarmActions`, described('actions'), 'none if alarms is false');
    return [];
  }
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULTS, name))
      throw new InvalidOptionError(`${option}.alarms.${name}`, value, `one of ${Object.keys(DEFAULTS).join(', ')}`);
  }
  const wanted = {
    ...DEFAULTS,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  const actions = [...(alarmTopic === undefined ? [] : [new SnsAction(alarmTopic)]), ...alarmActions];
  return alarmsOf(scope, option, wanted, parts).map(({ id, metric, above = 0, state, article, periods = 1 }) => {
    const alarm = new Alarm(scope, id, {
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      datapointsToAlarm: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: `Outflow task ${parts.task}: ${state}. ${articleLink(article)}`,
    });
    alarm.addAlarmAction(...actions);
    alarm.addOkAction(...actions);
    return alarm;
  });
}

const DEFAULT_AGE = Duration.minutes(15);
const DEFAULTS: Required<AlarmOptions> = {
  deadLetters: true,
  oldestMessage: DEFAULT_AGE,
  parseErrors: true,
  errorActions: true,
  throttledRules: true,
  circuitOpen: true,
  blocked: true,
  iteratorAge: DEFAULT_AGE,
};

interface AlarmDefinition {
  readonly id: string;
  readonly metric: IMetric;
  /** @default 0 */
  readonly above?: number;
  /** The state that the alarm reports, a clause in its description. */
  readonly state: string;
  /** Anchor of the alarm's article in the runbook. */
  readonly article: string;
  /** Evaluation periods of one minute; one of them has to exceed the threshold. @default 1 */
  readonly periods?: number;
}

const EACH_MINUTE = { period: Duration.minutes(1), statistic: Stats.MAXIMUM };
// The control function writes its metrics once a minute, not at the same second, so that a minute may have no value.
const CONTROL_PERIODS = 3;

function alarmsOf(
  scope: Construct,
  option: string,
  wanted: Required<AlarmOptions>,
  parts: WatchedParts,
): AlarmDefinition[] {
  const { task, rules, deadLetterQueue, queue, stream, worker } = parts;
  const found: (AlarmDefinition | false | undefined)[] = [
    wanted.deadLetters && {
      id: 'DeadLettersAlarm',
      metric: deadLetterQueue.metricApproximateNumberOfMessagesVisible(EACH_MINUTE),
      state: 'messages wait in the dead-letter queue',
      article: 'alarm-dead-letters',
    },
    queue !== undefined &&
      wanted.oldestMessage && {
        id: 'OldestMessageAlarm',
        metric: queue.metricApproximateAgeOfOldestMessage(EACH_MINUTE),
        above: wholeSeconds(wanted.oldestMessage, `${option}.alarms.oldestMessage`),
        state: 'a message has waited in the queue for too long',
        article: 'alarm-oldest-message',
      },
    ...rules.flatMap((rule) => alarmsOfRule(rule, wanted)),
    worker !== undefined &&
      wanted.circuitOpen && {
        id: 'CircuitOpenAlarm',
        metric: taskMetric(scope, task, 'CircuitOpen', EACH_MINUTE),
        state: 'nothing can be delivered until somebody acts',
        article: 'alarm-circuit-open',
        periods: CONTROL_PERIODS,
      },
    worker !== undefined &&
      wanted.blocked && {
        id: 'BlockedAlarm',
        metric: taskMetric(scope, task, 'Blocked', EACH_MINUTE),
        state: 'a message that cannot be delivered blocks it',
        article: 'alarm-blocked',
        periods: CONTROL_PERIODS,
      },
    worker !== undefined &&
      stream !== undefined &&
      wanted.iteratorAge && {
        id: 'IteratorAgeAlarm',
        // The stream reports an age only when it is read, and it is not read while AWS Lambda retries one batch.
        metric: worker.metric('IteratorAge', EACH_MINUTE),
        above: wholeSeconds(wanted.iteratorAge, `${option}.alarms.iteratorAge`) * 1000,
        state: 'it is behind its stream',
        article: 'alarm-iterator-age',
      },
  ];
  return found.filter((definition) => typeof definition === 'object');
}

/** AWS IoT Core, "AWS IoT metrics and dimensions": a rule reports each minute. */
function alarmsOfRule(rule: CfnTopicRule, wanted: Required<AlarmOptions>): (AlarmDefinition | false)[] {
  const name = rule.node.id;
  const hash = name.slice('Rule'.length);
  const metric = (metricName: string) =>
    new Metric({
      namespace: 'AWS/IoT',
      metricName,
      dimensionsMap: { RuleName: rule.ref },
      ...EACH_MINUTE,
      statistic: Stats.SUM,
    });
  return [
    wanted.parseErrors && {
      id: `ParseErrorsAlarm${hash}`,
      metric: metric('ParseError'),
      state: `IoT Core cannot evaluate the SQL of the rule ${name}, and drops messages`,
      article: 'alarm-parse-errors',
    },
    wanted.errorActions && {
      id: `ErrorActionsAlarm${hash}`,
      // A query, because the metric has another dimension, the type of the action, whose values no document lists.
      metric: new MathExpression({
        expression: `SELECT SUM(ErrorActionFailure) FROM "AWS/IoT" WHERE RuleName = '${rule.ref}'`,
        period: EACH_MINUTE.period,
        label: 'ErrorActionFailure',
      }),
      state: `the rule ${name} can send messages neither to the buffer nor to the dead-letter queue, and drops them`,
      article: 'alarm-error-actions',
    },
    wanted.throttledRules && {
      id: `ThrottledRulesAlarm${hash}`,
      metric: metric('RuleMessageThrottled'),
      state: `IoT Core throttles the rule ${name}, and drops messages`,
      article: 'alarm-throttled-rules',
    },
  ];
}

const { repository } = createRequire(import.meta.url)('mqtt-outflow/package.json') as {
  repository?: { readonly url: string };
};

/** The link of a runbook article: in the repository that package.json names, otherwise in the package. */
export function articleLink(article: string, url = repository?.url): string {
  const path = `docs/runbook.md#${article}`;
  return url === undefined ? path : `${url.replace(/^git\+/, '').replace(/\.git$/, '')}/blob/HEAD/${path}`;
}

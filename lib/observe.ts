import { createRequire } from 'node:module';
import { Duration, Stack } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
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
import { wholeSeconds } from './retry.ts';

/** The alarms of a task; each has an article in the runbook, and costs what CloudWatch asks for an alarm. */
export interface AlarmOptions {
  /**
   * Messages wait in the dead-letter queue. One that several tasks share alarms for each of them.
   *
   * @default true
   */
  readonly deadLetters?: boolean;
  /**
   * The oldest message in the task's queue is older than this; a whole number of seconds.
   *
   * @default Duration.minutes(15)
   */
  readonly oldestMessage?: Duration | false;
  /**
   * IoT Core could not evaluate the SQL of a rule; an alarm for each rule.
   *
   * @default true
   */
  readonly parseErrors?: boolean;
  /**
   * Nothing can be delivered until somebody acts (state Start Failed).
   *
   * @default true
   */
  readonly circuitOpen?: boolean;
  /**
   * A message blocks the task, which prohibits faults (state Ready).
   *
   * @default true
   */
  readonly blocked?: boolean;
  /**
   * The records that a stream buffer hands over are older than this.
   *
   * @default Duration.minutes(15)
   */
  readonly iteratorAge?: Duration | false;
}

/** What of a task is watched; a part that it does not have has no alarm. */
export interface WatchedParts {
  readonly task: string;
  readonly rules: readonly CfnTopicRule[];
  readonly deadLetterQueue: IQueue;
  readonly queue: IQueue | undefined;
  readonly worker: IFunction | undefined;
  /** The stream that the worker reads. */
  readonly stream: IStream | undefined;
}

/** A metric that workers or the control function write (row C8): a sum over 5 minutes, unless the options say otherwise. */
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

/** Makes a task's alarms. @throws InvalidOptionError for an alarm that there is not, or an age that is none. */
export function addAlarms(
  scope: Construct,
  option: string,
  given: AlarmOptions | false,
  topic: ITopic | undefined,
  parts: WatchedParts,
): Alarm[] {
  if (given === false) {
    if (topic !== undefined)
      throw new InvalidOptionError(`${option}.alarmTopic`, described('a topic'), 'none where alarms is false');
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
  const action = topic && new SnsAction(topic);
  return watches(scope, option, wanted, parts).map(({ id, metric, above = 0, says, article, periods = 1 }) => {
    const alarm = new Alarm(scope, id, {
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      datapointsToAlarm: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: `Outflow task ${parts.task}: ${says}. ${articleLink(article)}`,
    });
    if (action !== undefined) {
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
    return alarm;
  });
}

const OLD = Duration.minutes(15);
const DEFAULTS: Required<AlarmOptions> = {
  deadLetters: true,
  oldestMessage: OLD,
  parseErrors: true,
  circuitOpen: true,
  blocked: true,
  iteratorAge: OLD,
};

interface Watch {
  readonly id: string;
  readonly metric: IMetric;
  /** @default 0 */
  readonly above?: number;
  readonly says: string;
  /** Anchor of the alarm's article in the runbook. */
  readonly article: string;
  /** Minutes of which one is enough. @default 1 */
  readonly periods?: number;
}

const EACH_MINUTE = { period: Duration.minutes(1), statistic: Stats.MAXIMUM };
// What the control function says once a minute may slip past a minute's end.
const MINUTES_OF_CONTROL = 3;

function watches(scope: Construct, option: string, wanted: Required<AlarmOptions>, parts: WatchedParts): Watch[] {
  const { task, rules, deadLetterQueue, queue, stream, worker } = parts;
  const found: (Watch | false | undefined)[] = [
    wanted.deadLetters && {
      id: 'DeadLettersAlarm',
      metric: deadLetterQueue.metricApproximateNumberOfMessagesVisible(EACH_MINUTE),
      says: 'messages wait in the dead-letter queue',
      article: 'alarm-dead-letters',
    },
    queue !== undefined &&
      wanted.oldestMessage && {
        id: 'OldestMessageAlarm',
        metric: queue.metricApproximateAgeOfOldestMessage(EACH_MINUTE),
        above: wholeSeconds(wanted.oldestMessage, `${option}.alarms.oldestMessage`),
        says: 'a message has waited in the queue for too long',
        article: 'alarm-oldest-message',
      },
    ...rules.map(
      (rule, i) =>
        wanted.parseErrors && {
          id: i === 0 ? 'ParseErrorsAlarm' : `ParseErrorsAlarm${i + 1}`,
          metric: new Metric({
            namespace: 'AWS/IoT',
            metricName: 'ParseError',
            dimensionsMap: { RuleName: rule.ref },
            ...EACH_MINUTE,
            statistic: Stats.SUM,
          }),
          says: `IoT Core cannot evaluate the SQL of rule ${i + 1}, and drops messages`,
          article: 'alarm-parse-errors',
        },
    ),
    worker !== undefined &&
      wanted.circuitOpen && {
        id: 'CircuitOpenAlarm',
        metric: taskMetric(scope, task, 'CircuitOpen', EACH_MINUTE),
        says: 'nothing can be delivered until somebody acts',
        article: 'alarm-circuit-open',
        periods: MINUTES_OF_CONTROL,
      },
    worker !== undefined &&
      wanted.blocked && {
        id: 'BlockedAlarm',
        metric: taskMetric(scope, task, 'Blocked', EACH_MINUTE),
        says: 'a message that cannot be delivered blocks it',
        article: 'alarm-blocked',
        periods: MINUTES_OF_CONTROL,
      },
    worker !== undefined &&
      stream !== undefined &&
      wanted.iteratorAge && {
        id: 'IteratorAgeAlarm',
        // The stream's own age is told only when it is read, which it is not while one batch is tried over and over.
        metric: worker.metric('IteratorAge', EACH_MINUTE),
        above: wholeSeconds(wanted.iteratorAge, `${option}.alarms.iteratorAge`) * 1000,
        says: 'it is behind its stream',
        article: 'alarm-iterator-age',
      },
  ];
  return found.filter((watch) => typeof watch === 'object');
}

const { repository } = createRequire(import.meta.url)('mqtt-outflow/package.json') as {
  repository?: { readonly url: string };
};

/** Where an article of the runbook is: in the project's repository, or, where it names none, in the package. */
export function articleLink(article: string, url = repository?.url): string {
  const path = `docs/runbook.md#${article}`;
  return url === undefined ? path : `${url.replace(/^git\+/, '').replace(/\.git$/, '')}/blob/HEAD/${path}`;
}

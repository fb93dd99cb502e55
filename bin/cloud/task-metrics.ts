import { NAMESPACE } from '../../lambdas/core/metrics.ts';

/** The names by which CloudWatch has the metrics of a task. */
export interface MeasuredTask {
  readonly stack: string;
  readonly task: string;
  /** Name of the queue or of the stream that the worker reads. A task without both has no worker: AWS IoT Core delivers. */
  readonly queue?: string | undefined;
  readonly stream?: string | undefined;
  readonly worker?: string | undefined;
  readonly rules: readonly string[];
  /** Whether the worker writes the metric `Delivered` for each batch. */
  readonly countsDelivered: boolean;
}

/** Messages that came in and that were delivered; undefined where CloudWatch has no value. */
export interface MessageCounts {
  readonly incoming: number | undefined;
  readonly outgoing: number | undefined;
  /** The span that the counts cover, up to now. @default - since the start of this process */
  readonly seconds?: number;
}

/** What CloudWatch knows of a task. A number for which it has no value is undefined. */
export interface TaskMetrics {
  /** Messages of the last hour. */
  readonly counts: MessageCounts;
  /** Messages a second, over five minutes. */
  readonly rates: MessageCounts;
  readonly oldestSeconds: number | undefined;
}

/** A metric of a task. */
export interface TaskMetric {
  readonly shows: 'incoming' | 'outgoing' | 'oldestMs' | 'oldestSeconds';
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

/** Values of a metric by minute: milliseconds since 1970. A minute may have none. */
export type Series = readonly (readonly [minute: number, value: number])[];

export const MINUTE_MS = 60_000;
export const COUNTED_MINUTES = 60;
const RATE_MINUTES = 5;
/** A service may not have written the values of the last minutes yet. */
const INCOMPLETE_MINUTES = 2;
/** An older age is not that of the queue now. */
const AGE_MINUTES = 10;

/**
 * The metrics of a task: those that AWS has anyway, and the worker's count of delivered records. SQS counts what is sent to the queue
 * (redriven messages again), Kinesis what is put into the stream, and AWS IoT Core, for a task without a worker, what matches a rule.
 */
export function metricsOf({ stack, task, queue, stream, worker, rules, countsDelivered }: MeasuredTask): TaskMetric[] {
  const ofQueue = { namespace: 'AWS/SQS', dimensions: { QueueName: queue! } };
  const delivered: TaskMetric = {
    shows: 'outgoing',
    namespace: NAMESPACE,
    name: 'Delivered',
    dimensions: { Stack: stack, Task: task },
  };
  const outgoing = countsDelivered ? [delivered] : [];
  if (queue !== undefined)
    return [
      { shows: 'incoming', name: 'NumberOfMessagesSent', ...ofQueue },
      { shows: 'oldestSeconds', name: 'ApproximateAgeOfOldestMessage', ...ofQueue },
      ...outgoing,
    ];
  if (stream !== undefined && worker !== undefined)
    return [
      { shows: 'incoming', namespace: 'AWS/Kinesis', name: 'IncomingRecords', dimensions: { StreamName: stream } },
      // The stream reports an age only when it is read, and it is not read while AWS Lambda retries one batch.
      { shows: 'oldestMs', namespace: 'AWS/Lambda', name: 'IteratorAge', dimensions: { FunctionName: worker } },
      ...outgoing,
    ];
  return rules.map((RuleName) => {
    return { shows: 'incoming', namespace: 'AWS/IoT', name: 'TopicMatch', dimensions: { RuleName } };
  });
}

/** Makes a task's numbers from the values of its metrics. */
export function numbersOf(metrics: readonly (readonly [TaskMetric, Series])[], now: number): TaskMetrics {
  const valuesOf = (shows: TaskMetric['shows']) =>
    metrics.flatMap(([metric, series]) => (metric.shows === shows ? series : []));
  const thisMinute = Math.floor(now / MINUTE_MS) * MINUTE_MS;
  const until = thisMinute - INCOMPLETE_MINUTES * MINUTE_MS;
  const count = (of: 'incoming' | 'outgoing') => sum(valuesOf(of));
  const rate = (of: 'incoming' | 'outgoing') => {
    const values = valuesOf(of);
    if (values.length === 0) return undefined;
    const within = values.filter(([minute]) => minute >= until - RATE_MINUTES * MINUTE_MS && minute < until);
    return (sum(within) ?? 0) / (RATE_MINUTES * 60);
  };
  const latest = (shows: TaskMetric['shows']) =>
    valuesOf(shows)
      .filter(([minute]) => minute >= thisMinute - AGE_MINUTES * MINUTE_MS)
      .sort(([a], [b]) => b - a)[0]?.[1];
  const oldestMs = latest('oldestMs');
  return {
    counts: { incoming: count('incoming'), outgoing: count('outgoing'), seconds: COUNTED_MINUTES * 60 },
    rates: { incoming: rate('incoming'), outgoing: rate('outgoing') },
    oldestSeconds: oldestMs === undefined ? latest('oldestSeconds') : oldestMs / 1_000,
  };
}

function sum(series: Series): number | undefined {
  return series.length === 0 ? undefined : series.reduce((total, [, value]) => total + value, 0);
}

import type { BatchReport } from './worker.ts';

/** CloudWatch namespace of the metrics, and their one dimension. */
export const NAMESPACE = 'Outflow';
export const DIMENSION = 'Task';

/** The counts of a batch report that are metrics, by the metric's name. What is zero is left out, and costs nothing. */
export const METRICS = {
  Delivered: 'delivered',
  Filtered: 'filtered',
  Retried: 'retried',
  Parked: 'parked',
  Expired: 'expired',
  Dropped: 'dropped',
  DeadLettered: 'deadLettered',
} as const satisfies Record<string, keyof BatchReport>;

export type MetricName = keyof typeof METRICS;

/** One log line that CloudWatch reads as metrics (Amazon CloudWatch, "Embedded metric format"). */
export function metricsLine(dimension: string, values: Readonly<Record<string, number>>, now: number): object {
  const counted = Object.entries(values).filter(([, value]) => value > 0);
  if (counted.length === 0) return {};
  return {
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: NAMESPACE,
          Dimensions: [[DIMENSION]],
          Metrics: counted.map(([Name]) => ({ Name, Unit: 'Count' })),
        },
      ],
    },
    [DIMENSION]: dimension,
    ...Object.fromEntries(counted),
  };
}

/** A batch's counts as metrics. */
export function batchMetrics(task: string, report: BatchReport, now: number): object {
  const values = Object.fromEntries(Object.entries(METRICS).map(([name, count]) => [name, report[count]]));
  return metricsLine(task, { ...values, Failed: report.failed.length }, now);
}

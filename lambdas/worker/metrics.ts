import { type BatchMetric, type MetricName, NAMESPACE, type TaskDimensions } from '../core/metrics.ts';
import type { BatchReport } from './worker.ts';

/** The counts of a batch report that are metrics, by the metric's name. What is zero is left out, and costs nothing. */
export const METRICS = {
  Delivered: 'delivered',
  Filtered: 'filtered',
  Retried: 'retried',
  Parked: 'parked',
  Expired: 'expired',
  Dropped: 'dropped',
  DeadLettered: 'deadLettered',
} as const satisfies Record<Exclude<BatchMetric, 'Failed'>, keyof BatchReport>;

/** One log line that CloudWatch reads as metrics (Amazon CloudWatch, "Embedded metric format"). */
export function metricsLine(
  of: TaskDimensions,
  values: Readonly<Partial<Record<MetricName, number>>>,
  now: number,
): object {
  const counted = Object.entries(values).filter(([, value]) => value > 0);
  if (counted.length === 0) return {};
  return {
    _aws: {
      Timestamp: now,
      CloudWatchMetrics: [
        {
          Namespace: NAMESPACE,
          Dimensions: [Object.keys(of)],
          Metrics: counted.map(([Name]) => ({ Name, Unit: 'Count' })),
        },
      ],
    },
    ...of,
    ...Object.fromEntries(counted),
  };
}

/** A batch's counts as metrics. */
export function batchMetrics(of: TaskDimensions, report: BatchReport, now: number): object {
  const values = Object.fromEntries(Object.entries(METRICS).map(([name, count]) => [name, report[count]]));
  return metricsLine(of, { ...values, Failed: report.failed.length }, now);
}

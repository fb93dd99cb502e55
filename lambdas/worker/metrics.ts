import { type BatchMetric, metricsLine, type TaskDimensions } from '../core/metrics.ts';
import type { BatchReport } from './message.ts';

/** The counts of a batch report that are metrics, by the metric's name. */
export const METRICS = {
  Delivered: 'delivered',
  Filtered: 'filtered',
  Retried: 'retried',
  Parked: 'parked',
  Expired: 'expired',
  Dropped: 'dropped',
  DeadLettered: 'deadLettered',
} as const satisfies Record<Exclude<BatchMetric, 'Failed'>, keyof BatchReport>;

/** A batch's counts as metrics. */
export function batchMetrics(of: TaskDimensions, report: BatchReport, now: number): object {
  const values = Object.fromEntries(Object.entries(METRICS).map(([name, count]) => [name, report[count]]));
  return metricsLine(of, { ...values, Failed: report.failed.length }, now);
}

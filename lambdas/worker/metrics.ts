import { type BatchMetric, metricsLine, type TaskDimensions } from '../core/metrics.ts';
import type { TaskSpec } from '../core/spec.ts';
import type { BatchReport } from './message.ts';

/** The counts of a batch report that are metrics without a calculation, by the metric's name. */
export const METRICS = {
  Delivered: 'delivered',
  Filtered: 'filtered',
  Retried: 'retried',
  Parked: 'parked',
  Dropped: 'dropped',
  DeadLettered: 'deadLettered',
} as const satisfies Partial<Record<BatchMetric, keyof BatchReport>>;

/** The log entry of a batch, with its metrics; undefined if the level leaves it out. */
export function batchEntry(
  level: TaskSpec['logLevel'],
  of: TaskDimensions,
  report: BatchReport,
  now: number,
): object | undefined {
  if (level === 'warn' && isUneventful(report)) return undefined;
  const values = Object.fromEntries(Object.entries(METRICS).map(([name, count]) => [name, report[count]]));
  const Failed = report.failed.length;
  const Expired = report.expired + report.expiredDeadLetters;
  return { ...report, failed: Failed, ...metricsLine(of, { ...values, Expired, Failed }, now) };
}

function isUneventful({ delivered, filtered, received, failed, reasons, stop, ...other }: BatchReport): boolean {
  const counts = other satisfies Record<string, number>;
  return failed.length === 0 && stop === undefined && Object.values(counts).every((count) => count === 0);
}

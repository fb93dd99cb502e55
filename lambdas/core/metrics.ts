/** CloudWatch namespace of all metrics. */
export const NAMESPACE = 'Outflow';

/** Dimensions of all metrics. Tasks of two stacks may have the same name. */
export interface TaskDimensions {
  readonly Stack: string;
  readonly Task: string;
}

/** Metrics that a worker counts for each batch. `Failed` counts the records that the batch response reports as failed. */
export type BatchMetric =
  | 'Delivered'
  | 'Filtered'
  | 'Retried'
  | 'Parked'
  | 'Expired'
  | 'Dropped'
  | 'DeadLettered'
  | 'Failed';

/** Metrics that the control function writes each minute for a task that cannot continue: 1, or nothing when it can. */
export type ControlMetric = 'CircuitOpen' | 'Blocked';

export type MetricName = BatchMetric | ControlMetric;

/**
 * Makes the fields of a log line that CloudWatch extracts as metrics (Amazon CloudWatch, "Embedded metric format"). Zeros are
 * left out, because an absent metric costs nothing.
 */
export function metricsLine(
  dimensions: TaskDimensions,
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
          Dimensions: [Object.keys(dimensions)],
          Metrics: counted.map(([Name]) => ({ Name, Unit: 'Count' })),
        },
      ],
    },
    ...dimensions,
    ...Object.fromEntries(counted),
  };
}

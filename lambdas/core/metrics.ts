/** CloudWatch namespace of the metrics. */
export const NAMESPACE = 'Outflow';

/** Their dimensions: tasks of two stacks may have the same name. */
export interface TaskDimensions {
  readonly Stack: string;
  readonly Task: string;
}

/** What a worker counts of each batch. `Failed` are the records that Lambda was told to bring again. */
export type BatchMetric =
  | 'Delivered'
  | 'Filtered'
  | 'Retried'
  | 'Parked'
  | 'Expired'
  | 'Dropped'
  | 'DeadLettered'
  | 'Failed';

/** What the control function says each minute of a task that cannot go on: 1, and nothing at other times. */
export type ControlMetric = 'CircuitOpen' | 'Blocked';

export type MetricName = BatchMetric | ControlMetric;

/** One log line that CloudWatch reads as metrics (Amazon CloudWatch, "Embedded metric format"). A zero is left out and costs nothing. */
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

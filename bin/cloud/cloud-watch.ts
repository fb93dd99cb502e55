import type { CloudWatchClient, MetricDataQuery } from '@aws-sdk/client-cloudwatch';
import {
  COUNTED_MINUTES,
  type MeasuredTask,
  MINUTE_MS,
  metricsOf,
  numbersOf,
  type Series,
  type TaskMetrics,
} from './task-metrics.ts';

/** Reads tasks' metrics from CloudWatch. */
export interface MetricsReader {
  /** @returns what CloudWatch knows of each task, in their order. Failures are reported, and never thrown. */
  read(tasks: readonly MeasuredTask[]): Promise<readonly TaskMetrics[]>;
  close(): void;
}

export interface MetricsReaderOptions {
  /** Called with each failure, once. */
  readonly onNote: (note: string) => void;
  /** @default - the AWS SDK's client, loaded with the first reading */
  readonly client?: Pick<CloudWatchClient, 'send' | 'destroy'>;
  readonly now?: () => number;
  /** @default 5000 */
  readonly timeoutMs?: number;
}

/** Amazon CloudWatch, "GetMetricData": the largest number of metrics of a call. */
const MAX_QUERIES = 500;

/** Opens a reader. A metric has a value a minute, and each one read has a price, so that an answer is kept for a minute. */
export function openMetricsReader(options: MetricsReaderOptions): MetricsReader {
  const { onNote, now = Date.now, timeoutMs = 5_000 } = options;
  let { client } = options;
  let kept: { readonly key: string; readonly at: number; readonly answer: Promise<readonly Series[]> } | undefined;
  const noted = new Set<string>();

  async function series(queries: readonly MetricDataQuery[], at: number): Promise<readonly Series[]> {
    const found: [number, number][][] = queries.map(() => []);
    const abortSignal = AbortSignal.timeout(timeoutMs);
    const thisMinute = Math.floor(at / MINUTE_MS) * MINUTE_MS;
    const span = {
      StartTime: new Date(thisMinute - COUNTED_MINUTES * MINUTE_MS),
      EndTime: new Date(thisMinute + MINUTE_MS),
    };
    // Loaded on demand: most commands do without.
    const { CloudWatchClient, GetMetricDataCommand } = await import('@aws-sdk/client-cloudwatch');
    client ??= new CloudWatchClient();
    for (let first = 0; first < queries.length; first += MAX_QUERIES) {
      const MetricDataQueries = queries.slice(first, first + MAX_QUERIES);
      let NextToken: string | undefined;
      do {
        const command = new GetMetricDataCommand({ ...span, MetricDataQueries, ...(NextToken && { NextToken }) });
        const answer = await client.send(command, { abortSignal });
        for (const { Id, Timestamps = [], Values = [] } of answer.MetricDataResults ?? [])
          found[Number(Id!.slice(1))]!.push(...Timestamps.map((time, n): [number, number] => [+time, Values[n]!]));
        ({ NextToken } = answer);
      } while (NextToken !== undefined);
    }
    return found;
  }

  async function seriesOrNote(queries: readonly MetricDataQuery[], at: number): Promise<readonly Series[]> {
    try {
      return await series(queries, at);
    } catch (error) {
      const { name, message } = error as Error;
      const why = /^(Abort|Timeout)Error$/.test(name)
        ? `no answer within ${timeoutMs / 1_000} s`
        : `${name}: ${message}`;
      const note = `numbers of messages are unknown: CloudWatch: ${why}; expected an answer to cloudwatch:GetMetricData`;
      if (!noted.has(note)) onNote(note);
      noted.add(note);
      return queries.map(() => []);
    }
  }

  return {
    async read(tasks) {
      const metrics = tasks.map(metricsOf);
      const queries = metrics.flat().map(({ shows, namespace, name, dimensions }, n) => ({
        Id: `m${n}`,
        MetricStat: {
          Metric: {
            Namespace: namespace,
            MetricName: name,
            Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
          },
          Period: MINUTE_MS / 1_000,
          Stat: shows === 'incoming' || shows === 'outgoing' ? 'Sum' : 'Maximum',
        },
      }));
      const key = JSON.stringify(queries);
      if (kept?.key !== key || now() - kept.at >= MINUTE_MS)
        kept = { key, at: now(), answer: seriesOrNote(queries, now()) };
      const { at } = kept;
      const rest = (await kept.answer).values();
      return metrics.map((some) =>
        numbersOf(
          some.map((metric) => [metric, rest.next().value!]),
          at,
        ),
      );
    },
    close() {
      client?.destroy();
    },
  };
}

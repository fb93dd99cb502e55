import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { afterEach, describe, expect, it } from 'vitest';
import { type MetricsReaderOptions, openMetricsReader } from '../../bin/cloud/cloud-watch.ts';
import type { MeasuredTask, TaskMetrics } from '../../bin/cloud/task-metrics.ts';

const NOW = Date.parse('2026-11-21T09:00:30Z');
const minutesAgo = (minutes: number) => (Math.floor(NOW / 60_000) - minutes) * 60;
const QUEUED: MeasuredTask = {
  stack: 'Plant',
  task: 'Warm',
  queue: 'warm-queue',
  worker: 'warm-worker',
  rules: ['warm_rule'],
  countsDelivered: true,
};
const STREAMED: MeasuredTask = { ...QUEUED, task: 'Cold', queue: undefined, stream: 'cold', worker: 'cold-worker' };
const QUIET: MeasuredTask = { ...QUEUED, task: 'Quiet', queue: 'quiet-queue', countsDelivered: false };
const NATIVE: MeasuredTask = {
  ...QUEUED,
  queue: undefined,
  worker: undefined,
  rules: ['r1', 'r2'],
  countsDelivered: false,
};

/** Values by metric and dimensions, each with its age in minutes. */
const VALUES: Readonly<Record<string, readonly (readonly [minutesAgo: number, value: number])[]>> = {
  'NumberOfMessagesSent QueueName=warm-queue Sum': [
    [0, 7],
    [1, 8],
    [3, 100],
    [5, 50],
    [7, 150],
    [8, 1_000],
    [59, 5],
  ],
  'ApproximateAgeOfOldestMessage QueueName=warm-queue Maximum': [
    [30, 9_999],
    [2, 41],
    [3, 90],
  ],
  'Delivered Stack=Plant,Task=Warm Sum': [[20, 60]],
  'IncomingRecords StreamName=cold Sum': [[4, 30]],
  'IteratorAge FunctionName=cold-worker Maximum': [[1, 2_500]],
  'ApproximateAgeOfOldestMessage QueueName=quiet-queue Maximum': [[11, 1]],
  'TopicMatch RuleName=r1 Sum': [[1, 2]],
  'TopicMatch RuleName=r2 Sum': [[2, 3]],
};

interface Query {
  readonly Id: string;
  readonly MetricStat: {
    readonly Metric: { MetricName: string; Namespace: string; Dimensions: { Name: string; Value: string }[] };
    readonly Stat: string;
    readonly Period: number;
  };
}

/** CloudWatch with `VALUES`, two metrics a page. */
function answer({ MetricDataQueries, NextToken }: { MetricDataQueries: Query[]; NextToken?: string }) {
  const from = Number(NextToken ?? 0);
  const results = MetricDataQueries.slice(from, from + 2).map(({ Id, MetricStat: { Metric, Stat } }) => {
    const dimensions = Metric.Dimensions.map(({ Name, Value }) => `${Name}=${Value}`).join();
    const values = VALUES[`${Metric.MetricName} ${dimensions} ${Stat}`] ?? [];
    return {
      Id,
      StatusCode: 'Complete',
      Timestamps: values.map(([age]) => minutesAgo(age)),
      Values: values.map(([, value]) => value),
    };
  });
  return {
    MetricDataResults: results,
    ...(from + 2 < MetricDataQueries.length && { NextToken: `${from + 2}` }),
  };
}

describe('the numbers of tasks that CloudWatch has', () => {
  let server: Server;
  const requests: { MetricDataQueries: Query[]; NextToken?: string; StartTime: number; EndTime: number }[] = [];
  const notes: string[] = [];
  let now = NOW;

  afterEach(() => {
    server.closeAllConnections();
    server.close();
    requests.length = 0;
    notes.length = 0;
    now = NOW;
  });

  /** @param reply The status and body of an answer; undefined for none. */
  async function reader(
    reply: (request: (typeof requests)[number]) => [number, object] | undefined,
    options: Partial<MetricsReaderOptions> = {},
  ) {
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = JSON.parse(Buffer.concat(chunks).toString());
      requests.push(body);
      const given = reply(body);
      if (given === undefined) return;
      response.writeHead(given[0], { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify(given[1]));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = new CloudWatchClient({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 's' },
      maxAttempts: 1,
    });
    return openMetricsReader({ client, onNote: (note) => notes.push(note), now: () => now, ...options });
  }

  it('are read for all tasks at once: the last hour, the rate of five minutes, and the age now', async () => {
    const metrics = await reader((request) => [200, answer(request)]);
    const tasks = [QUEUED, STREAMED, QUIET, NATIVE];
    const seconds = 3_600;
    expect(await metrics.read(tasks)).toEqual([
      {
        counts: { incoming: 1_320, outgoing: 60, seconds },
        // The minutes 3 to 7: later ones may not be complete.
        rates: { incoming: 1, outgoing: 0 },
        oldestSeconds: 41,
      },
      {
        counts: { incoming: 30, outgoing: undefined, seconds },
        rates: { incoming: 0.1, outgoing: undefined },
        oldestSeconds: 2.5,
      },
      {
        counts: { incoming: undefined, outgoing: undefined, seconds },
        rates: { incoming: undefined, outgoing: undefined },
        oldestSeconds: undefined,
      },
      {
        counts: { incoming: 5, outgoing: undefined, seconds },
        rates: { incoming: 0, outgoing: undefined },
        oldestSeconds: undefined,
      },
    ] satisfies TaskMetrics[]);
    expect(notes).toEqual([]);
    const [first] = requests;
    expect(requests.map(({ NextToken }) => NextToken)).toEqual([undefined, '2', '4', '6', '8']);
    expect(first!.MetricDataQueries.map(({ MetricStat: { Metric } }) => Metric.Namespace)).toEqual(
      'AWS/SQS AWS/SQS Outflow AWS/Kinesis AWS/Lambda Outflow AWS/SQS AWS/SQS AWS/IoT AWS/IoT'.split(' '),
    );
    expect([first!.StartTime, first!.EndTime]).toEqual([minutesAgo(60), minutesAgo(-1)]);
  });

  it('are read again after a minute, because they change no sooner and each reading has a price', async () => {
    const metrics = await reader((request) => [200, answer(request)]);
    await metrics.read([NATIVE]);
    now += 59_000;
    await metrics.read([NATIVE]);
    expect(requests).toHaveLength(1);
    now += 1_000;
    await metrics.read([NATIVE]);
    expect(requests).toHaveLength(2);
  });

  it('are left out without a permission, with one note', async () => {
    const why = 'User x is not authorized to perform: cloudwatch:GetMetricData';
    const metrics = await reader(() => [
      400,
      { __type: 'com.amazon.coral.service#AccessDeniedException', message: why },
    ]);
    for (const _ of [1, 2]) {
      const [{ counts }] = (await metrics.read([QUEUED])) as [TaskMetrics];
      expect(counts).toMatchObject({ incoming: undefined, outgoing: undefined });
      now += 60_000;
    }
    expect(notes).toEqual([
      expect.stringMatching(/^numbers of messages are unknown: CloudWatch: AccessDenied.*not authorized/),
    ]);
  });

  it('are left out if CloudWatch does not answer in time', async () => {
    const metrics = await reader(() => undefined, { timeoutMs: 100 });
    const [{ oldestSeconds }] = (await metrics.read([QUEUED])) as [TaskMetrics];
    expect(oldestSeconds).toBeUndefined();
    expect(notes).toEqual([expect.stringContaining('no answer within 0.1 s')]);
  });
});

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-kinesis';
import { App, Stack } from 'aws-cdk-lib';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import mqtt from 'mqtt';
import { IotTopicSource, KinesisSink, OutflowTask, QueueBuffer, StreamBuffer } from '../../lib/index.ts';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import type { LocalKinesis } from '../../localstack/one-process/kinesis.ts';
import { type Run, run } from '../../localstack/one-process/run.ts';
import type { RunningTask } from '../../localstack/one-process/task.ts';
import { hostileMessage } from './hostile-device.ts';
import { drawsOf } from './random.ts';

export interface HostileSoakOptions {
  /** Minutes with the hostile device. As many without it come before, at most two. */
  readonly minutes: number;
  /** Decides what the hostile device publishes. */
  readonly seed: number;
  /** Called with a line for each event. @default no output */
  readonly log?: (line: string) => void;
}

/** How the messages of the good devices fared in one task. */
export interface Fare {
  readonly buffer: 'queue' | 'stream';
  readonly hostile: boolean;
  readonly published: number;
  readonly lost: number;
  /** Milliseconds from the publish to the sink. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Every status that the task had. */
  readonly statuses: readonly string[];
}

const LINES = ['a', 'b'] as const;
const GOOD_DEVICES = 5;
const GOOD_PER_SECOND = 30;
const HOSTILE_PER_SECOND = 20;
const TICK_MS = 100;
const MAX_DRAIN_MS = 3 * 60_000;
const MAX_MINUTES_ALONE = 2;
const BUFFERS = { queue: () => new QueueBuffer(), stream: () => new StreamBuffer() } as const;
type Buffering = keyof typeof BUFFERS;

/** Publishes from good devices to a task with a queue and to one with a stream, first alone, then beside a hostile device. */
export async function soakHostile({ minutes, seed, log = () => {} }: HostileSoakOptions): Promise<Fare[]> {
  const fares: Fare[] = [];
  for (const hostile of [false, true]) {
    const running = await run(readAssembly(synthesized()), { onError: (error) => log(`error: ${error.message}`) });
    try {
      const statuses = watchStatuses(running);
      // On AWS they are in a queue of SQS; here they would fill the memory of this process.
      const emptying = setInterval(() => running.tasks.forEach(emptyDeadLetters), 1_000);
      const published = await publish(
        running,
        hostile ? { minutes, draw: drawsOf(seed) } : { minutes: Math.min(minutes, MAX_MINUTES_ALONE) },
      );
      log(`${published.length} messages of good devices published${hostile ? ' beside a hostile device' : ''}`);
      for (const buffer of ['queue', 'stream'] as const)
        fares.push({
          buffer,
          hostile,
          ...(await fareOf(running.kinesis, buffer, published)),
          statuses: [...statuses.get(buffer)!],
        });
      statuses.stop();
      clearInterval(emptying);
    } finally {
      await running.close();
    }
  }
  return fares;
}

/** Whether nothing of the good devices was lost, no task left Running, and the hostile device at most doubled the p99 latency. */
export function isUnharmed(fares: readonly Fare[]): boolean {
  return fares.every(({ buffer, hostile, lost, statuses, p99Ms }) => {
    const alone = fares.find((one) => one.buffer === buffer && !one.hostile)!;
    return lost === 0 && statuses.join() === 'Running' && (!hostile || p99Ms <= 2 * alone.p99Ms);
  });
}

function synthesized(): string {
  const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-hostile-')) });
  const stack = new Stack(app, 'Hostile');
  for (const buffer of ['queue', 'stream'] as const) {
    const streams = LINES.map((line) => new Stream(stack, `${buffer}-${line}`, { streamName: `${buffer}-${line}` }));
    new OutflowTask(stack, buffer, {
      source: new IotTopicSource('plant/+/telemetry'),
      buffer: BUFFERS[buffer](),
      filter: { data: { body: { temp: [{ numeric: ['>', 20] }] } } },
      sink: new KinesisSink(`${buffer}-\${payload.line}`, {
        streams,
        partitionKey: '${clientid}',
        explicitHashKey: '${payload.hash}',
        payload: '{"id":"${payload.id}","sentAt":${payload.sentAt},"readings":${payload.readings}}',
      }),
    });
  }
  return app.synth().directory;
}

function emptyDeadLetters({ deadLetterQueue }: RunningTask): void {
  for (const { receiptHandle } of deadLetterQueue!.receive(1_000)) deadLetterQueue!.delete(receiptHandle);
}

function watchStatuses({ tasks }: Run) {
  const seen = new Map<Buffering, Set<string>>();
  const look = () => {
    for (const { name, control } of tasks) {
      const statuses = seen.get(name as Buffering) ?? new Set();
      if (control!.state.status !== 'Starting') statuses.add(control!.state.status);
      seen.set(name as Buffering, statuses);
    }
  };
  const timer = setInterval(look, TICK_MS);
  return { get: (buffer: Buffering) => seen.get(buffer), stop: () => clearInterval(timer) };
}

/** @returns the ids of the good devices' acknowledged messages */
async function publish({ broker }: Run, { minutes, draw }: { minutes: number; draw?: ReturnType<typeof drawsOf> }) {
  const connect = (clientId: string) => mqtt.connectAsync(broker.url, { clientId, protocolVersion: 5 });
  const good = await Promise.all(Array.from({ length: GOOD_DEVICES }, (_, n) => connect(`good-${n}`)));
  const hostile = draw && (await connect('hostile'));
  const ids: string[] = [];
  const sendGood = async (n: number) => {
    const payload = {
      id: `g${n}`,
      sentAt: Date.now(),
      line: LINES[n % 2],
      temp: 21 + (n % 9),
      hash: `${n}`,
      readings: [n],
    };
    const device = n % GOOD_DEVICES;
    await good[device]!.publishAsync(`plant/good-${device}/telemetry`, JSON.stringify(payload), { qos: 1 });
    ids.push(payload.id);
  };
  const sendHostile = async () => {
    const { payload, ...properties } = hostileMessage(draw!);
    await hostile!.publishAsync('plant/hostile/telemetry', payload, { qos: 1, properties });
  };
  const started = Date.now();
  const sent = { good: 0, hostile: 0 };
  while (Date.now() - started < minutes * 60_000) {
    const seconds = (Date.now() - started) / 1000;
    const some: Promise<void>[] = [];
    while (sent.good < seconds * GOOD_PER_SECOND) some.push(sendGood(sent.good++));
    while (hostile && sent.hostile < seconds * HOSTILE_PER_SECOND) {
      sent.hostile++;
      some.push(sendHostile());
    }
    await Promise.all(some);
    await sleep(TICK_MS);
  }
  await Promise.all([...good, ...(hostile ? [hostile] : [])].map((client) => client.endAsync()));
  return ids;
}

async function fareOf(kinesis: LocalKinesis, buffer: Buffering, published: readonly string[]) {
  const latencies = new Map<string, number>();
  const deadline = Date.now() + MAX_DRAIN_MS;
  const isLost = (id: string) => !latencies.has(id);
  do {
    if (latencies.size > 0) await sleep(2_000);
    for (const line of LINES) await readLatencies(kinesis, `${buffer}-${line}`, latencies);
  } while (published.some(isLost) && Date.now() < deadline);
  const sorted = published.flatMap((id) => latencies.get(id) ?? []).sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { published: published.length, lost: published.filter(isLost).length, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** The earliest arrival of each message counts. */
async function readLatencies({ client }: LocalKinesis, stream: string, into: Map<string, number>): Promise<void> {
  const shard = { StreamName: stream, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' } as const;
  let { ShardIterator: iterator } = await client.send(new GetShardIteratorCommand(shard));
  for (;;) {
    const { Records = [], NextShardIterator } = await client.send(new GetRecordsCommand({ ShardIterator: iterator }));
    if (Records.length === 0) return;
    for (const { Data, ApproximateArrivalTimestamp } of Records) {
      // A hostile device's text is in the template as it came, so its record may be no JSON.
      const [, id, sentAt] = /^\{"id":"(g\d+)","sentAt":(\d+),/.exec(Buffer.from(Data!).toString()) ?? [];
      if (id !== undefined && !into.has(id)) into.set(id, ApproximateArrivalTimestamp!.getTime() - Number(sentAt));
    }
    iterator = NextShardIterator;
  }
}

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KINESIS_ROUTED, kinesisOptions } from '../../lambdas/deliver/kinesis/config.ts';
import { compileKinesis, type KinesisRequest } from '../../lambdas/deliver/kinesis/render.ts';
import type { Outcome, Sink, SinkDefinition } from '../../lambdas/deliver/sink.ts';
import { createHandler } from '../../lambdas/worker/handler.ts';
import { workerQueues } from '../../lambdas/worker/queues.ts';
import { type Clock, systemClock } from '../../localstack/one-process/clock.ts';
import { queueApi } from '../../localstack/one-process/queue/api.ts';
import { type Mapping, type MappingOptions, startMapping } from '../../localstack/one-process/queue/mapping.ts';
import { Queue, type QueueOptions } from '../../localstack/one-process/queue/queue.ts';
import { envelope } from '../support/messages.ts';

/** One task in this process: its queues, disabled mappings, and the real handler with a scripted sink. */
export interface BacklogTask {
  readonly queue: Queue;
  readonly retryQueue: Queue;
  readonly deadLetterQueue: Queue;
  start(): void;
  /** Resolves when no message is visible and no batch is running. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

export interface BacklogTaskOptions {
  readonly deliver: (requests: readonly KinesisRequest[]) => Promise<readonly Outcome[]>;
  /** Replaces the worker's handler. */
  readonly handler?: MappingOptions['handler'];
  /** More of the task's spec. */
  readonly spec?: object;
  readonly batchSize?: number;
  readonly queueOptions?: Partial<QueueOptions>;
  readonly clock?: Clock;
}

const PAYLOAD = '{"id":"${id}","temp":${payload.temp}}';
const FILTER = { data: { body: { temp: [{ numeric: ['>', 20] }] } } };

/** Makes a task whose filter passes a `temp` above 20. */
export function createBacklogTask({
  deliver,
  handler,
  spec,
  batchSize = 1_000,
  queueOptions,
  clock = systemClock,
}: BacklogTaskOptions): BacklogTask {
  const make = (name: string) => {
    const place = { arn: `arn:aws:sqs:us-east-1:000000000000:${name}`, url: `https://sqs.local/${name}` };
    return new Queue({ name, ...place, visibilityTimeoutSeconds: 360, clock, ...queueOptions });
  };
  const [queue, retryQueue, deadLetterQueue] = [make('queue'), make('retry'), make('dead')];
  const queues = new Map([queue, retryQueue, deadLetterQueue].map((one) => [one.url, one]));
  const sink: Sink<KinesisRequest> = { deliver, testConnectivity: async () => 'always', close() {} };
  const definition: SinkDefinition<typeof kinesisOptions, KinesisRequest> = {
    type: 'kinesis',
    options: kinesisOptions,
    routed: KINESIS_ROUTED,
    compile: compileKinesis,
    open: () => sink,
    target: ({ stream }) => stream,
    show: (request) => ({ ...request }),
  };
  const now = () => clock.now();
  const env = {
    QUEUE_URL: queue.url,
    RETRY_QUEUE_URL: retryQueue.url,
    DEAD_LETTER_QUEUE_URL: deadLetterQueue.url,
    CONTROL_QUEUE_URL: 'https://sqs.local/control',
    TARGET_ARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/out',
    RULE_ARNS: 'arn:aws:iot:us-east-1:000000000000:rule/Backlog',
    STACK_NAME: 'Soak',
  };
  const log = (entry: object) => {
    throw new Error(`unexpected log entry: ${JSON.stringify(entry)}`);
  };
  const worker = createHandler(definition, {
    spec: {
      v: 1,
      task: 'Backlog',
      source: { type: 'iot-core', filters: ['plant/+'] },
      filter: FILTER,
      sink: { type: 'kinesis', stream: 'out', partitionKey: '${clientid}', payload: PAYLOAD },
      ...spec,
    },
    env,
    queues: workerQueues({ api: queueApi(queues, async () => {}), env, task: 'Backlog', log, now }),
    now,
    report: () => {},
  });
  const map = (from: Queue, size: number): Mapping =>
    startMapping({
      queue: from,
      handler: handler ?? worker,
      batchSize: size,
      windowSeconds: size > 10 ? 1 : 0,
      enabled: false,
      functionName: 'Backlog',
      functionTimeoutSeconds: 60,
      region: 'us-east-1',
      clock,
      onInvocation: ({ error }) => {
        if (error !== undefined) throw error;
      },
    });
  const mappings = [map(queue, batchSize), map(retryQueue, 10)];
  return {
    queue,
    retryQueue,
    deadLetterQueue,
    start: () => {
      for (const mapping of mappings) mapping.enable();
    },
    async settle() {
      await Promise.all(mappings.map((mapping) => mapping.settle()));
    },
    async stop() {
      await Promise.all(mappings.map((mapping) => mapping.stop()));
    },
  };
}

/** The `n`th message of a backlog, as a rule writes it; every second passes the filter. */
export function backlogMessage(n: number): string {
  const temp = n % 2 === 0 ? 20.5 + (n % 70) : 19.5 - (n % 30);
  return JSON.stringify(envelope(`{"temp":${temp},"humidity":48.3,"seq":${n}}`, { id: String(n), topic: 'plant/7' }));
}

/** Bytes. */
export interface Memory {
  readonly resident: number;
  /** Objects on the heap that are still in use. */
  readonly live: number;
}

/** How a backlog went. */
export interface Drained {
  /** How often each message was delivered, by its number. */
  readonly copies: Uint8Array;
  /** The process's memory when a tenth of what passes was delivered, and when nine tenths were. */
  readonly memoryAt: { readonly tenth: Memory; readonly nineTenths: Memory };
  /** Bytes of live objects that were not there before, once the backlog is gone. */
  readonly leftBytes: number;
  readonly messagesPerSecond: number;
  /** Number of messages that are still in a queue. */
  readonly left: number;
}

/** Preloads a queue, then lets a task drain it into a sink that answers at once. */
export async function drainBacklog(
  count: number,
  floor?: (deliver: (ids: readonly string[]) => void) => MappingOptions['handler'],
): Promise<Drained> {
  const copies = new Uint8Array(count);
  const memoryAt: Partial<Record<'tenth' | 'nineTenths', Memory>> = {};
  const passing = count / 2;
  let delivered = 0;
  const seen = (ids: readonly string[]) => {
    for (const id of ids) copies[Number(id)]!++;
    delivered += ids.length;
    if (delivered >= passing * 0.1) memoryAt.tenth ??= memory();
    if (delivered >= passing * 0.9) memoryAt.nineTenths ??= memory();
  };
  const done: Outcome = { status: 'delivered' };
  const before = memory();
  const task = createBacklogTask({
    deliver: async (requests) => {
      seen(requests.map(({ data }) => /"id":"(\d+)"/.exec(Buffer.from(data).toString())![1]!));
      return requests.map(() => done);
    },
    ...(floor && { handler: floor(seen) }),
  });
  for (let n = 0; n < count; n++) task.queue.send({ body: backlogMessage(n) });
  const started = performance.now();
  task.start();
  await task.settle();
  const seconds = (performance.now() - started) / 1_000;
  const left = [task.queue, task.retryQueue, task.deadLetterQueue].reduce((sum, queue) => sum + queue.peek().length, 0);
  const leftBytes = memory().live - before.live;
  await task.stop();
  return { copies, memoryAt: memoryAt as Drained['memoryAt'], leftBytes, messagesPerSecond: count / seconds, left };
}

function memory(): Memory {
  const resident = process.memoryUsage.rss();
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return { resident, live: process.memoryUsage().heapUsed };
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { controlMessage } from '../../lambdas/core/control-message.ts';
import type { TaskMetadata } from '../../lambdas/core/metadata.ts';
import type { TaskSpec } from '../../lambdas/core/spec.ts';
import type { Handler } from '../../lambdas/worker/handler.ts';
import type { BatchReport } from '../../lambdas/worker/message.ts';
import type { Receipt } from '../../lambdas/worker/worker.ts';
import type { Broker } from '../iot-core/broker/broker.ts';
import { type DataPlane, startDataPlane } from '../iot-core/data-plane/data-plane.ts';
import { startStandIn } from '../iot-core/stand-in.ts';
import { readSpec, type Stack } from './assembly.ts';
import { connectKinesis, type LocalKinesis, putInOrder, startKinesis } from './kinesis.ts';
import { queueApi } from './queue/api.ts';
import { declaredQueues, type Queues } from './queues.ts';
import { ACCOUNT, identity, resolver } from './resolve.ts';
import { declaredRules } from './rules.ts';
import { type RunningTask, startTask } from './task.ts';

export interface RunOptions {
  /** MQTT port on 127.0.0.1. @default - a free port */
  readonly port?: number | undefined;
  /** Endpoint of a Kinesis API. @default - an embedded emulator */
  readonly kinesisEndpointUrl?: string | undefined;
  /** Reads the text of a secret by its ARN. @default - AWS Secrets Manager, with the user's credentials */
  readonly secret?: (arn: string) => Promise<string>;
  /** How often the control reconciles each task. On AWS it does so every minute. @default 5,000 */
  readonly reconcileEveryMs?: number;
  /** Wraps the SQS API of the workers, for tests in which sends fail. */
  readonly wrapSqsApi?: (api: SqsApi) => SqsApi;
  /** Wraps a worker's handler, for tests in which it crashes. */
  readonly wrapHandler?: (task: string, handler: Handler) => Handler;
  /** Longest wait for accepted messages when the run ends. @default 60,000 */
  readonly settleAtMostMs?: number;
  readonly onBatch?: (task: RunningTask, report: BatchReport) => void;
  /** Called with where a sink stored the records of a batch, for tasks with `logLevel: 'debug'`. */
  readonly onReceipts?: (task: RunningTask, receipts: readonly Receipt[]) => void;
  readonly onError?: (error: Error) => void;
  /** Called when the broker ends a client's connection, with the reason in words. */
  readonly onDisconnect?: (clientId: string | undefined, reason: string) => void;
}

const RECONCILE_EVERY_MS = 5_000;
const SETTLE_AT_MOST_MS = 60_000;
/** A running invocation ends within its function's timeout on AWS; here a connection that hangs would hold the process. */
const STOP_AT_MOST_MS = 5_000;

/** The running tasks of an assembly. */
export interface Run {
  readonly broker: Broker;
  /** AWS IoT Core's HTTP API, whose Publish reaches the same subscribers and rules. */
  readonly dataPlane: Pick<DataPlane, 'endpointUrl'>;
  readonly kinesis: LocalKinesis;
  readonly streams: readonly string[];
  readonly tasks: readonly RunningTask[];
  /**
   * Closes the broker and waits until each accepted message was processed once, or for `settleAtMostMs`.
   *
   * @returns false if messages were still being processed.
   */
  settle(): Promise<boolean>;
  /** Settles, then stops all tasks. An invocation that hangs is left after {@link STOP_AT_MOST_MS}. */
  close(): Promise<void>;
}

/**
 * Runs the tasks of an assembly in this process, with the rules, queues, mappings and specs of its templates.
 *
 * @throws when the assembly has no task, or declares something that one process does not emulate
 */
export async function run(stacks: readonly Stack[], options: RunOptions = {}): Promise<Run> {
  if (stacks.every(({ tasks }) => tasks.length === 0))
    throw new Error('the assembly has no OutflowTask. Add one to a stack, and run `cdk synth` again');
  const kinesis =
    options.kinesisEndpointUrl === undefined ? await startKinesis() : connectKinesis(options.kinesisEndpointUrl);
  try {
    return await runWith(kinesis, stacks, options);
  } catch (error) {
    await kinesis.close();
    throw error;
  }
}

async function runWith(kinesis: LocalKinesis, stacks: readonly Stack[], options: RunOptions): Promise<Run> {
  const onError = options.onError ?? ((error: Error) => process.emitWarning(error));
  const queues = declaredQueues(stacks);
  const rules = declaredRules(stacks);
  const streams = declaredStreams(stacks);
  for (const stream of streams) await kinesis.createStream(stream);
  if (options.kinesisEndpointUrl === undefined) {
    for (const { stream, stack } of outsideStreams(stacks, streams)) {
      stack.notes.add(`stream ${stream} is not in this app: an empty one takes its place`);
      await kinesis.createStream(stream);
    }
  }

  const disabledRules = new Set<string>();
  const api = queueApi(queues, async (_, body) => {
    const message = controlMessage.parse(JSON.parse(body));
    const control = tasks.find(({ name }) => name === message.task)?.control;
    // The sender does not wait for the result, as on AWS.
    control?.send(message).catch(onError);
  });
  let tasks: readonly RunningTask[] = [];
  const putRecord = putInOrder(kinesis.client);
  const broker = await startStandIn({
    rules,
    port: options.port,
    accountId: ACCOUNT,
    disabledRules,
    onError,
    ...(options.onDisconnect && { onDisconnect: options.onDisconnect }),
    targets: {
      sendToQueue: (url, body) => sendToQueue(queues, tasks, url, body),
      async putToStream(streamName, partitionKey, data) {
        for (const task of tasks) if (task.stream === streamName) task.counters.incoming++;
        await putRecord(streamName, partitionKey, data);
      },
    },
  });

  const dataPlane = await startDataPlane({ broker });
  const start = (stack: Stack, metadata: TaskMetadata) =>
    startTask(metadata, {
      stack,
      stacks,
      queues,
      api: options.wrapSqsApi?.(api) ?? api,
      wrapHandler: options.wrapHandler,
      secret: options.secret,
      disabledRules,
      kinesis,
      dataPlane,
      onBatch: options.onBatch ?? (() => {}),
      onReceipts: options.onReceipts ?? (() => {}),
      onError,
    });
  try {
    tasks = stacks.flatMap((stack) => stack.tasks.map((metadata) => start(stack, metadata)));
  } catch (error) {
    await Promise.all([broker.close(), dataPlane.close()]);
    throw error;
  }

  const reconcile = setInterval(() => {
    for (const { name: task, control } of tasks) control?.send({ kind: 'reconcile', task }).catch(onError);
  }, options.reconcileEveryMs ?? RECONCILE_EVERY_MS);

  const { settleAtMostMs = SETTLE_AT_MOST_MS } = options;
  async function settleAll(): Promise<void> {
    await broker.close();
    await Promise.all(tasks.flatMap(({ sources }) => sources.map((source) => source.stop())));
    // The messages of a disabled mapping stay in its queue or stream. A stream mapping retries a failing record without limit.
    const enabled = tasks.flatMap(({ mappings }) => mappings).filter(({ state }) => state === 'Enabled');
    // A task may republish what another one reads.
    for (let before = -1; before !== incoming(); ) {
      before = incoming();
      await Promise.all(enabled.map((mapping) => mapping.settle()));
    }
  }
  const incoming = () => tasks.reduce((sum, { counters }) => sum + counters.incoming, 0);

  let settled: Promise<boolean> | undefined;
  const settle = () => {
    settled ??= within(settleAtMostMs, settleAll());
    return settled;
  };
  return {
    broker,
    dataPlane,
    kinesis,
    streams,
    tasks,
    settle,
    async close() {
      await settle();
      clearInterval(reconcile);
      const stopping = async () => {
        await Promise.all(tasks.map(({ control }) => control?.idle()));
        await Promise.all(tasks.flatMap(({ mappings }) => mappings.map((mapping) => mapping.stop())));
      };
      await within(Math.min(STOP_AT_MOST_MS, settleAtMostMs), stopping());
      await dataPlane.close();
      await kinesis.close();
    },
  };
}

/** Waits for work, `ms` milliseconds at most. @returns whether it has ended. @throws its error, unless that comes later. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    timer.abort();
    work.catch(() => {});
  }
}

function sendToQueue(queues: Queues, tasks: readonly RunningTask[], url: string, body: string): void {
  const queue = queues.getOrCreate(url);
  if (queue === undefined) throw new Error(`queue URL: got ${url}; expected a queue of the assembly`);
  queue.send({ body });
  for (const task of tasks) if (task.queue === queue) task.counters.incoming++;
}

function declaredStreams(stacks: readonly Stack[]): string[] {
  return stacks.flatMap(({ name, template }) =>
    Object.entries(template.Resources ?? {})
      .filter(([, { Type }]) => Type === 'AWS::Kinesis::Stream')
      .map(([logicalId, resource]) => identity(name, logicalId, resource).name),
  );
}

/** Streams that sinks name and the assembly does not declare; names that messages render are left out. */
function outsideStreams(stacks: readonly Stack[], declared: readonly string[]) {
  const found = new Map<string, Stack>();
  for (const stack of stacks) {
    const resolve = resolver(stack, stacks);
    for (const { worker, sink } of stack.tasks) {
      if (worker === undefined || sink !== 'kinesis') continue;
      const fn = stack.template.Resources![worker]!;
      const { Variables } = resolve(fn.Properties!['Environment']) as { Variables: Record<string, string> };
      const { sink: own, route } = readSpec(stack, fn) as Pick<TaskSpec<SinkTarget>, 'sink' | 'route'>;
      for (const { stream } of [own, ...(route?.routes ?? []).map(({ sink }) => sink as SinkTarget)]) {
        const name = typeof stream === 'object' ? Variables[stream.$env] : stream;
        if (name !== undefined && !name.includes('${') && !declared.includes(name)) found.set(name, stack);
      }
    }
  }
  return Array.from(found, ([stream, stack]) => ({ stream, stack }));
}

interface SinkTarget {
  readonly stream?: string | { readonly $env: string };
}

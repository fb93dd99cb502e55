import { setTimeout as sleep } from 'node:timers/promises';
import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { controlMessage } from '../../lambdas/core/control-message.ts';
import type { Handler } from '../../lambdas/worker/handler.ts';
import type { BatchReport } from '../../lambdas/worker/message.ts';
import type { Broker } from '../iot-core/broker/broker.ts';
import { startStandIn } from '../iot-core/stand-in.ts';
import type { Stack } from './assembly.ts';
import { connectKinesis, type LocalKinesis, putInOrder, startKinesis } from './kinesis.ts';
import { queueApi } from './queue/api.ts';
import { declaredQueues, type Queues } from './queues.ts';
import { ACCOUNT, identity } from './resolve.ts';
import { declaredRules } from './rules.ts';
import { type RunningTask, startTask } from './task.ts';

export interface RunOptions {
  /** MQTT port on loopback. @default a free one */
  readonly port?: number | undefined;
  /** A Kinesis API that runs elsewhere. @default an embedded one */
  readonly kinesisEndpointUrl?: string | undefined;
  /** Reads the text of a secret. @default AWS Secrets Manager does, as whoever runs this */
  readonly secret?: (arn: string) => Promise<string>;
  /** How often each task is seen to; on AWS it is each minute. @default 5,000 */
  readonly reconcileEveryMs?: number;
  /** Stands between the tasks' functions and their queues, for tests that let sends fail. @default nothing does */
  readonly aroundSqs?: (api: SqsApi) => SqsApi;
  /** Stands before a task's function, for tests that let it crash. @default nothing does */
  readonly aroundHandler?: (task: string, handler: Handler) => Handler;
  readonly onBatch?: (task: RunningTask, report: BatchReport) => void;
  readonly onError?: (error: Error) => void;
}

const RECONCILE_EVERY_MS = 5_000;
const SETTLE_AT_MOST_MS = 60_000;

/** The tasks of an assembly, running in this process. */
export interface Run {
  readonly broker: Broker;
  readonly kinesis: LocalKinesis;
  readonly streams: readonly string[];
  readonly tasks: readonly RunningTask[];
  /** Takes no more messages, and resolves when every message taken has been through its task once. */
  settle(): Promise<void>;
  /** Settles, then stops everything. */
  close(): Promise<void>;
}

/** Runs the tasks of an assembly: the very rules and specs that would be deployed. @throws when there are none, or one cannot run here. */
export async function run(stacks: readonly Stack[], options: RunOptions = {}): Promise<Run> {
  if (stacks.every(({ tasks }) => tasks.length === 0)) throw new Error('the assembly has no OutflowTask');
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

  const disabledRules = new Set<string>();
  const api = queueApi(queues, async (_, body) => {
    const message = controlMessage.parse(JSON.parse(body));
    const control = tasks.find(({ name }) => name === message.task)?.control;
    // As on AWS, whoever sends does not wait for what comes of it.
    control?.send(message).catch(onError);
  });
  const tasks: readonly RunningTask[] = stacks.flatMap((stack) => {
    return stack.tasks.map((metadata) => {
      return startTask(metadata, {
        stack,
        stacks,
        queues,
        api: options.aroundSqs?.(api) ?? api,
        aroundHandler: options.aroundHandler,
        secret: options.secret,
        disabledRules,
        kinesis,
        onBatch: options.onBatch ?? (() => {}),
        onError,
      });
    });
  });
  const putRecord = putInOrder(kinesis.client);
  const broker = await startStandIn({
    rules,
    port: options.port,
    accountId: ACCOUNT,
    disabledRules,
    onError,
    targets: {
      sendToQueue: (url, body) => sendToQueue(queues, tasks, url, body),
      async putToStream(streamName, partitionKey, data) {
        for (const task of tasks) if (task.stream === streamName) task.counters.incoming++;
        await putRecord(streamName, partitionKey, data);
      },
    },
  });

  const reconcile = setInterval(() => {
    for (const { name: task, control } of tasks) control?.send({ kind: 'reconcile', task }).catch(onError);
  }, options.reconcileEveryMs ?? RECONCILE_EVERY_MS);

  let settled: Promise<void> | undefined;
  const settle = () => {
    settled ??= broker.close().then(async () => {
      // A mapping that is off takes nothing more, and what it left stays.
      const on = tasks.flatMap(({ mappings }) => mappings).filter(({ state }) => state === 'Enabled');
      // A stream waits for a record that fails, however long; what is not done by then stays in it.
      await Promise.all(
        on.map((mapping) => Promise.race([mapping.settle(), sleep(SETTLE_AT_MOST_MS, undefined, { ref: false })])),
      );
    });
    return settled;
  };
  return {
    broker,
    kinesis,
    streams,
    tasks,
    settle,
    async close() {
      await settle();
      clearInterval(reconcile);
      await Promise.all(tasks.map(({ control }) => control?.idle()));
      await Promise.all(tasks.flatMap(({ mappings }) => mappings.map((mapping) => mapping.stop())));
      await kinesis.close();
    },
  };
}

function sendToQueue(queues: Queues, tasks: readonly RunningTask[], url: string, body: string): void {
  const queue = queues.get(url);
  if (queue === undefined) throw new Error(`no queue ${url}`);
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

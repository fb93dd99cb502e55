import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import {
  DEAD_LETTER_QUEUE_URL,
  QUEUE_URL,
  readVariable,
  SLOT_PARAMETERS,
  TARGET_ARN,
} from '../../lambdas/core/environment.ts';
import type { TaskMetadata } from '../../lambdas/core/metadata.ts';
import { sinkOf } from '../../lambdas/deliver/all.ts';
import { storeIn, toQueue } from '../../lambdas/source/mqtt/store.ts';
import { toStream } from '../../lambdas/source/mqtt/stream-store.ts';
import { createHandler, type Handler } from '../../lambdas/worker/handler.ts';
import type { BatchReport } from '../../lambdas/worker/message.ts';
import { workerQueues } from '../../lambdas/worker/queues.ts';
import type { Receipt } from '../../lambdas/worker/worker.ts';
import type { DataPlane } from '../iot-core/data-plane/data-plane.ts';
import { readSpec, type Stack } from './assembly.ts';
import { type LocalControl, localControl } from './control.ts';
import { EMULATOR_MAX_REQUEST_BYTES, type LocalKinesis } from './kinesis.ts';
import { startDeclaredQueueMapping, startDeclaredStreamMapping } from './mappings.ts';
import { type LocalMqttSource, startMqttSource } from './mqtt-source.ts';
import type { Mapping } from './queue/mapping.ts';
import type { Queue } from './queue/queue.ts';
import type { Queues } from './queues.ts';
import { REGION, resolver } from './resolve.ts';
import type { StreamMapping } from './stream/mapping.ts';

/** Counts of a task since its start. `retried`, `parked` and `failed` count attempts, the others count messages. */
export interface Counters {
  incoming: number;
  filtered: number;
  outgoing: number;
  retried: number;
  parked: number;
  expired: number;
  dropped: number;
  deadLettered: number;
  failed: number;
}

/** A task that runs in this process. */
export interface RunningTask {
  readonly name: string;
  readonly filters: readonly string[];
  readonly counters: Counters;
  readonly queue: Queue | undefined;
  readonly retryQueue: Queue | undefined;
  readonly deadLetterQueue: Queue | undefined;
  readonly mappings: readonly (Mapping | StreamMapping)[];
  /** Name of the stream of a task with a StreamBuffer. */
  readonly stream: string | undefined;
  /** ARN of the worker's target; it ends with `*` when messages name the target. Undefined for a task without a worker. */
  readonly targetArn: string | undefined;
  /** Undefined for a task without a worker. */
  readonly control: LocalControl | undefined;
  /** Sources that hold connections of their brokers. */
  readonly sources: readonly LocalMqttSource[];
}

export interface TaskSetup {
  readonly stack: Stack;
  readonly stacks: readonly Stack[];
  readonly queues: Queues;
  readonly api: SqsApi;
  readonly wrapHandler: ((task: string, handler: Handler) => Handler) | undefined;
  readonly secret: ((arn: string) => Promise<string>) | undefined;
  /** Names of all disabled rules; the task's control adds and removes its own. */
  readonly disabledRules: Set<string>;
  readonly kinesis: LocalKinesis;
  /** AWS IoT Core's API, for the tasks that republish. */
  readonly dataPlane: Pick<DataPlane, 'endpointUrl'>;
  /** Called after each batch. */
  readonly onBatch: (task: RunningTask, report: BatchReport) => void;
  readonly onReceipts: (task: RunningTask, receipts: readonly Receipt[]) => void;
  readonly onError: (error: Error) => void;
}

/** Starts a task's worker and mappings, with the spec and the environment of its deployed function. */
export function startTask(metadata: TaskMetadata, setup: TaskSetup): RunningTask {
  const { stack, stacks, queues, api } = setup;
  const resolve = resolver(stack, stacks);
  const queueOf = (logicalId: string | undefined) =>
    logicalId === undefined ? undefined : queues.get(resolve({ Ref: logicalId }) as string);
  const base = {
    name: metadata.task,
    filters: metadata.filters,
    counters: noCounts(),
    queue: queueOf(metadata.queue),
    retryQueue: queueOf(metadata.retryQueue),
    stream: metadata.stream && (resolve({ Ref: metadata.stream }) as string),
  };
  if (metadata.worker === undefined)
    return {
      ...base,
      deadLetterQueue: queueOf(metadata.deadLetterQueue),
      mappings: [],
      targetArn: undefined,
      control: undefined,
      sources: [],
    };

  const fn = stack.template.Resources![metadata.worker]!;
  const properties = resolve({
    Environment: fn.Properties!['Environment'],
    Timeout: fn.Properties!['Timeout'],
  }) as FunctionProperties;
  const env: Record<string, string> = { ...properties.Environment.Variables, AWS_REGION: REGION };
  const deadLetterQueue = queues.getOrCreate(env['DEAD_LETTER_QUEUE_URL']!);
  if (deadLetterQueue === undefined)
    throw new Error(
      `${metadata.task}: DEAD_LETTER_QUEUE_URL: got ${env['DEAD_LETTER_QUEUE_URL']}; expected the URL of a queue`,
    );
  const log = (entry: object) => setup.onError(new Error(`${metadata.task}: ${JSON.stringify(entry)}`));
  const control = localControl({
    mappings: () => task.mappings,
    retryQueue: base.retryQueue,
    rules: metadata.rules.map((logicalId) => resolve({ Ref: logicalId }) as string),
    disabledRules: setup.disabledRules,
    sources: () => task.sources,
    invoke: (event) => handler(event, { getRemainingTimeInMillis: () => 60_000 } as Parameters<Handler>[1]),
    isEnabled: metadata.enabled ?? true,
    onError: setup.onError,
  });
  const worker = createHandler(sinkOf(metadata.sink), {
    spec: withEmulatorLimits(readSpec(stack, fn)),
    env,
    endpointUrl: metadata.sink === 'republish' ? setup.dataPlane.endpointUrl : setup.kinesis.endpointUrl,
    ...(setup.secret && { secret: setup.secret }),
    log,
    queues: workerQueues({ api, env, task: metadata.task, log, now: Date.now }),
    stopped: control.stopped,
    skipped: control.skipped,
    onReceipts: (receipts) => setup.onReceipts(task, receipts),
    report(report) {
      count(base.counters, report);
      setup.onBatch(task, report);
    },
  });
  const handler = setup.wrapHandler?.(metadata.task, worker) ?? worker;
  const onInvocation = ({ error }: { readonly error?: unknown }) => {
    if (error !== undefined) setup.onError(new Error(`${metadata.task}: invocation failed`, { cause: error }));
  };
  const task: RunningTask = {
    ...base,
    deadLetterQueue,
    targetArn: env['TARGET_ARN'],
    control,
    sources: startSources(metadata, { ...setup, resolve, counters: base.counters, stream: base.stream }),
    mappings: metadata.mappings.map((logicalId) => {
      const mapping = {
        name: `${stack.name}.${logicalId}`,
        resource: stack.template.Resources![logicalId]!,
        resolve,
        functionName: metadata.task,
        functionTimeoutSeconds: properties.Timeout ?? 3,
        handler,
        onInvocation,
      };
      return metadata.stream === undefined
        ? startDeclaredQueueMapping(mapping, queues)
        : startDeclaredStreamMapping(mapping, setup.kinesis, setup.onError);
    }),
  };
  return task;
}

interface SourceSetup extends TaskSetup {
  readonly resolve: ReturnType<typeof resolver>;
  readonly counters: Counters;
  readonly stream: string | undefined;
}

/** Starts the sources of a task whose functions hold connections. */
function startSources(metadata: TaskMetadata, setup: SourceSetup): LocalMqttSource[] {
  const { stack, resolve, api, kinesis, counters, stream } = setup;
  return (metadata.functions ?? []).flatMap(({ function: logicalId }) => {
    const fn = stack.template.Resources![logicalId]!;
    const { Variables } = resolve(fn.Properties!['Environment']) as FunctionProperties['Environment'];
    if (Variables[SLOT_PARAMETERS] === undefined) return [];
    const log = (entry: object) => setup.onError(new Error(`${metadata.task}: ${JSON.stringify(entry)}`));
    const put =
      stream === undefined
        ? toQueue(api, readVariable(Variables, QUEUE_URL), log)
        : toStream(stream, log, kinesis.client);
    return startMqttSource({
      spec: readSpec(stack, fn),
      env: { ...Variables, AWS_REGION: REGION },
      secret: setup.secret,
      store: storeIn(
        async (entries) => {
          const stored = await put(entries);
          counters.incoming += stored.filter(Boolean).length;
          return stored;
        },
        {
          api,
          queueUrl: readVariable(Variables, DEAD_LETTER_QUEUE_URL),
          task: metadata.task,
          functionArn: resolve({ 'Fn::GetAtt': [logicalId, 'Arn'] }) as string,
          targetArn: readVariable(Variables, TARGET_ARN),
          log,
        },
      ),
      isOrdered: stream !== undefined,
      onError: (error) => setup.onError(new Error(`${metadata.task}: ${error.message}`, { cause: error })),
    });
  });
}

function noCounts(): Counters {
  return {
    incoming: 0,
    filtered: 0,
    outgoing: 0,
    retried: 0,
    parked: 0,
    expired: 0,
    dropped: 0,
    deadLettered: 0,
    failed: 0,
  };
}

function count(counters: Counters, report: BatchReport): void {
  counters.filtered += report.filtered;
  counters.outgoing += report.delivered;
  counters.retried += report.retried;
  counters.parked += report.parked;
  counters.expired += report.expired;
  counters.dropped += report.dropped;
  counters.deadLettered += report.deadLettered;
  counters.failed += report.failed.length;
}

interface FunctionProperties {
  readonly Environment: { readonly Variables: Readonly<Record<string, string>> };
  readonly Timeout?: number;
}

/** Lowers the sink's request size to that of the embedded Kinesis. */
function withEmulatorLimits(spec: unknown): unknown {
  const { sink, ...rest } = spec as { sink: { type: string; maxRequestBytes?: number } };
  if (sink.type !== 'kinesis') return spec;
  return {
    ...rest,
    sink: { ...sink, maxRequestBytes: Math.min(sink.maxRequestBytes ?? Infinity, EMULATOR_MAX_REQUEST_BYTES) },
  };
}

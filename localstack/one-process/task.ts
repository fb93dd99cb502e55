import type { TaskMetadata } from '../../lambdas/core/metadata.ts';
import { type DeadLetters, deadLetterAttributes } from '../../lambdas/dead-letter.ts';
import { sinkOf } from '../../lambdas/deliver/all.ts';
import { createHandler } from '../../lambdas/handler.ts';
import type { BatchReport } from '../../lambdas/worker.ts';
import { readSpec, type Stack } from './assembly.ts';
import { EMULATOR_MAX_REQUEST_BYTES } from './kinesis.ts';
import { type Mapping, startMapping } from './queue/mapping.ts';
import type { Queue } from './queue/queue.ts';
import type { Queues } from './queues.ts';
import { REGION, resolver } from './resolve.ts';

/** What a task has done so far; `failed` counts tries, the others messages. */
export interface Counters {
  incoming: number;
  filtered: number;
  outgoing: number;
  deadLettered: number;
  failed: number;
}

/** A task that runs in this process. */
export interface RunningTask {
  readonly name: string;
  readonly filters: readonly string[];
  readonly counters: Counters;
  readonly queue: Queue | undefined;
  readonly deadLetterQueue: Queue | undefined;
  readonly mapping: Mapping | undefined;
}

export interface TaskSetup {
  readonly stack: Stack;
  readonly stacks: readonly Stack[];
  readonly queues: Queues;
  readonly kinesisEndpointUrl: string;
  /** Hears after each batch. */
  readonly onBatch: (task: RunningTask, report: BatchReport) => void;
  readonly onError: (error: Error) => void;
}

/** Starts a task's worker on its queue, with the spec and the environment that it would be deployed with. */
export function startTask(metadata: TaskMetadata, setup: TaskSetup): RunningTask {
  const { stack, stacks, queues } = setup;
  const resolve = resolver(stack, stacks);
  const counters: Counters = { incoming: 0, filtered: 0, outgoing: 0, deadLettered: 0, failed: 0 };
  const queue = metadata.queue === undefined ? undefined : queues.get(resolve({ Ref: metadata.queue }) as string);
  const base = { name: metadata.task, filters: metadata.filters, counters, queue };
  const { worker, mapping } = metadata;
  if (queue === undefined || worker === undefined || mapping === undefined) {
    const own = metadata.deadLetterQueue;
    return {
      ...base,
      deadLetterQueue: own === undefined ? undefined : queues.get(resolve({ Ref: own }) as string),
      mapping: undefined,
    };
  }

  const fn = stack.template.Resources![worker]!;
  const properties = resolve({
    Environment: fn.Properties!['Environment'],
    Timeout: fn.Properties!['Timeout'],
  }) as FunctionProperties;
  const env: Record<string, string> = { ...properties.Environment.Variables, AWS_REGION: REGION };
  const deadLetterQueue = queues.get(env['DEAD_LETTER_QUEUE_URL']!);
  if (deadLetterQueue === undefined)
    throw new Error(`${metadata.task}: its dead-letter queue is in none of the assembly's stacks`);
  const handler = createHandler(sinkOf(metadata.sink), {
    spec: withinEmulator(readSpec(stack, fn)),
    env,
    endpointUrl: setup.kinesisEndpointUrl,
    deadLetters: intoQueue(deadLetterQueue, metadata.task, setup.onError),
    report(report) {
      counters.filtered += report.filtered;
      counters.outgoing += report.delivered;
      counters.deadLettered += report.deadLettered;
      counters.failed += report.failed.length;
      setup.onBatch(task, report);
    },
  });
  const { BatchSize, MaximumBatchingWindowInSeconds } = stack.template.Resources![mapping]!
    .Properties as MappingProperties;
  const task: RunningTask = {
    ...base,
    deadLetterQueue,
    mapping: startMapping({
      queue,
      handler,
      batchSize: BatchSize ?? 10,
      windowSeconds: MaximumBatchingWindowInSeconds ?? 0,
      functionName: metadata.task,
      functionTimeoutSeconds: properties.Timeout ?? 3,
      region: REGION,
      onInvocation: ({ error }) => {
        if (error !== undefined) setup.onError(new Error(`${metadata.task}: an invocation failed`, { cause: error }));
      },
    }),
  };
  return task;
}

interface FunctionProperties {
  readonly Environment: { readonly Variables: Readonly<Record<string, string>> };
  readonly Timeout?: number;
}

interface MappingProperties {
  readonly BatchSize?: number;
  readonly MaximumBatchingWindowInSeconds?: number;
}

function withinEmulator(spec: unknown): unknown {
  const { sink, ...rest } = spec as { sink: { type: string; maxRequestBytes?: number } };
  if (sink.type !== 'kinesis') return spec;
  return {
    ...rest,
    sink: { ...sink, maxRequestBytes: Math.min(sink.maxRequestBytes ?? Infinity, EMULATOR_MAX_REQUEST_BYTES) },
  };
}

function intoQueue(queue: Queue, task: string, onError: (error: Error) => void): DeadLetters {
  return {
    async send(letters) {
      return letters.map((letter) => {
        const attributes = Object.entries(deadLetterAttributes(letter, task)).map(
          ([name, { DataType, StringValue }]) => {
            return [name, { dataType: DataType, stringValue: StringValue }];
          },
        );
        try {
          queue.send({ body: letter.body, attributes: Object.fromEntries(attributes) });
          return true;
        } catch (error) {
          onError(new Error(`${task}: a dead letter could not be stored`, { cause: error }));
          return false;
        }
      });
    },
  };
}

import { readFileSync } from 'node:fs';
import middy from '@middy/core';
import type { Context, KinesisStreamEvent, SQSEvent } from 'aws-lambda';
import type * as z from 'zod';
import { kinesisIntake } from '../buffer/kinesis/adapter.ts';
import { streamMemory } from '../buffer/kinesis/failed-records.ts';
import {
  type Connectivity,
  type ControlRequest,
  controlRequests,
  type Intake,
  sqsIntake,
} from '../buffer/sqs/adapter.ts';
import { sqsApi } from '../buffer/sqs/api.ts';
import { type TaskQueues, taskQueues } from '../buffer/sqs/task-queues.ts';
import { parameterText, stoppedTime } from '../control/stopped-time.ts';
import { parseSpec } from '../core/spec.ts';
import type { SinkDefinition, SinkEnvironment } from '../deliver/sink.ts';
import type { StoppedTime } from './expiry.ts';
import { batchMetrics } from './metrics.ts';
import { type BatchReport, createWorker, type WorkerEnvironment } from './worker.ts';

/** What a handler runs with. On Lambda it all comes from the function's package and environment. */
export interface HandlerSetup extends SinkEnvironment, Pick<WorkerEnvironment, 'now' | 'random'> {
  /** The task's spec, not yet parsed. */
  readonly spec: unknown;
  readonly queues: TaskQueues;
  /** @default it never was */
  readonly stopped?: StoppedTime;
  readonly report: (report: BatchReport) => void;
}

export interface Handler {
  (
    event: SQSEvent | KinesisStreamEvent,
    context: Context,
  ): Promise<{ batchItemFailures: { itemIdentifier: string }[] }>;
  (event: ControlRequest, context: Context): Promise<Connectivity>;
}

/** The Lambda function of a task: decode → filter → render → deliver → report. @throws InvalidOptionError for a spec that is none. */
export function createHandler<Schema extends z.ZodType, Request>(
  definition: SinkDefinition<Schema, Request>,
  { queues, ...setup }: HandlerSetup,
): Handler {
  const spec = parseSpec(setup.spec, definition.options);
  const memory = streamMemory(setup.now ?? Date.now);
  const retries = spec.buffer.type === 'stream' ? memory.stays : queues.retries;
  const worker = createWorker(spec, definition, { ...setup, ...queues, retries });
  return middy(async (intake: unknown, context: Context) => {
    const { process, respond } = asIntake(intake);
    const report = await process({ remainingMs: () => context.getRemainingTimeInMillis() });
    setup.report(report);
    await queues.tellControl(report);
    return respond(report);
  })
    .use(controlRequests(worker))
    .use(sqsIntake(worker, queues))
    .use(kinesisIntake(worker, memory)) as unknown as Handler;
}

// What no intake has taken is still an event: of a source that this function has nothing to do with.
function asIntake(event: unknown): Intake {
  if (typeof (event as Partial<Intake>).process === 'function') return event as Intake;
  throw new Error(
    `an event of no source that a worker has, with ${Object.keys(Object(event)).join(', ') || 'nothing'}`,
  );
}

/** Reads `spec.json` from beside the bundle, and the rest from the function's environment. */
export function fromEnv(here: string): HandlerSetup {
  const { env } = process;
  const spec = JSON.parse(readFileSync(new URL('./spec.json', here), 'utf8'));
  const log = (entry: object) => console.log(JSON.stringify({ task: spec.task, ...entry }));
  const state = env['STATE_PARAMETER'];
  const dimensions = { Stack: env['STACK_NAME'] ?? '', Task: spec.task };
  return {
    spec,
    env,
    ...(state !== undefined && { stopped: stoppedTime(parameterText(state), { now: Date.now, log }) }),
    queues: taskQueues({ api: sqsApi(), env, task: spec.task, log, now: Date.now }),
    report: (report) =>
      log({ ...report, failed: report.failed.length, ...batchMetrics(dimensions, report, Date.now()) }),
  };
}

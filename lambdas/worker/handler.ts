import { readFileSync } from 'node:fs';
import middy, { type MiddlewareObj } from '@middy/core';
import type { Context, KinesisStreamEvent, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type * as z from 'zod';
import type { ReceivedBatch, TaskBuffer } from '../buffer/buffer.ts';
import { bufferOf } from '../buffer/event-sources.ts';
import { sqsApi } from '../buffer/sqs/on-demand-api.ts';
import type { Connectivity, ConnectivityRequest, ReadRequest, ReadResponse } from '../core/control-requests.ts';
import { readVariable, STACK_NAME, STATE_PARAMETER } from '../core/environment.ts';
import { loadExpressions } from '../core/jsonpath/expression.ts';
import { parseSpec } from '../core/spec.ts';
import type { SinkDefinition } from '../deliver/sink.ts';
import type { BatchReport } from './message.ts';
import { batchEntry } from './metrics.ts';
import { type WorkerQueues, workerQueues } from './queues.ts';
import { withinResponse } from './read-response.ts';
import { skippedMessages } from './skipped-messages.ts';
import { stateText, stoppedTime } from './stopped-time.ts';
import { createWorker, type Worker, type WorkerSetup } from './worker.ts';

/** What a handler runs with. On Lambda it all comes from the function's package and environment. */
export interface HandlerSetup extends Omit<WorkerSetup, 'deadLetters'> {
  /** The task's spec, not yet parsed. */
  readonly spec: unknown;
  readonly queues: WorkerQueues;
  readonly report: (report: BatchReport) => void;
}

export interface Handler {
  (event: SQSEvent | KinesisStreamEvent, context: Context): Promise<SQSBatchResponse>;
  (event: ConnectivityRequest, context: Context): Promise<Connectivity>;
  (event: ReadRequest, context: Context): Promise<ReadResponse>;
}

/** The Lambda function of a task. @throws InvalidOptionError for an invalid spec or environment. */
export function createHandler<Schema extends z.ZodType, Request>(
  definition: SinkDefinition<Schema, Request>,
  { queues, report, ...setup }: HandlerSetup,
): Handler {
  const spec = parseSpec(setup.spec, definition.options);
  const worker = createWorker(spec, definition, { ...setup, deadLetters: queues.deadLetters });
  const buffers = bufferOf({ spec, queues: queues.buffer, now: setup.now ?? Date.now });
  return middy(async ({ buffer, batch }: Intake, context: Context): Promise<BatchReport> => {
    const result = await worker.process(batch, { remainingMs: () => context.getRemainingTimeInMillis(), buffer });
    report(result);
    await queues.notifyControl(result);
    return result;
  })
    .use(connectivityRequests(worker))
    .use(readRequests(worker))
    .use(eventSources(buffers)) as unknown as Handler;
}

/** A batch and the buffer that it comes from. */
interface Intake {
  readonly buffer: TaskBuffer;
  readonly batch: ReceivedBatch;
}

/** Answers the control function's connectivity test, ahead of every event source. */
function connectivityRequests(worker: Pick<Worker, 'testConnectivity'>): MiddlewareObj<unknown, unknown> {
  return {
    async before({ event }): Promise<Connectivity | undefined> {
      if ((event as Partial<ConnectivityRequest>).outflow !== 'testConnectivity') return undefined;
      try {
        return { ok: true, detail: await worker.testConnectivity() };
      } catch (error) {
        return { ok: false, detail: (error as Error).message };
      }
    },
  };
}

/** Answers `outflow read`, ahead of every event source. */
function readRequests(worker: Pick<Worker, 'read'>): MiddlewareObj<unknown, unknown> {
  return {
    async before({ event, context }): Promise<ReadResponse | undefined> {
      const request = event as Partial<ReadRequest>;
      if (request.outflow !== 'read') return undefined;
      const timeoutMs = Math.min(MAX_READ_MS, context.getRemainingTimeInMillis() - READ_RESERVE_MS);
      try {
        return withinResponse(await worker.read(request as ReadRequest, timeoutMs));
      } catch (error) {
        return { ok: false, detail: (error as Error).message };
      }
    },
  };
}

const MAX_READ_MS = 30_000;
const READ_RESERVE_MS = 2_000;

/** Reads the event by its buffer, and turns the batch's report into the response that the event source expects. */
function eventSources(bufferOf: (event: unknown) => TaskBuffer): MiddlewareObj<unknown, unknown> {
  return {
    before(request) {
      const buffer = bufferOf(request.event);
      request.event = { buffer, batch: buffer.receive(request.event) } satisfies Intake;
    },
    async after(request) {
      const { batch } = request.event as Intake;
      request.response = await batch.respond(request.response as BatchReport);
    },
  };
}

/** Keeps a line below the size of an event in CloudWatch Logs. */
const RECEIPTS_PER_LINE = 500;

/** Reads `spec.json` from beside the bundle, and the rest from the function's environment. @throws InvalidOptionError for a missing variable. */
export async function fromEnv(here: string): Promise<HandlerSetup> {
  const { env } = process;
  const spec = JSON.parse(readFileSync(new URL('./spec.json', here), 'utf8'));
  await loadExpressions(spec.sink);
  // Not by console, which AWS Lambda puts a prefix in front of, or an object around.
  const log = (entry: object) => void process.stdout.write(`${JSON.stringify({ task: spec.task, ...entry })}\n`);
  const dimensions = { Stack: readVariable(env, STACK_NAME), Task: spec.task };
  // Set only for a task with a request TTL or a blocking message: no other task reads its state.
  const state = env[STATE_PARAMETER];
  return {
    spec,
    env,
    log,
    ...(state !== undefined && {
      stopped: stoppedTime(stateText(state), { now: Date.now, log }),
      skipped: skippedMessages(stateText(state), { now: Date.now, log }),
    }),
    queues: workerQueues({ api: sqsApi(), env, task: spec.task, log, now: Date.now }),
    onReceipts: (receipts) => {
      for (let from = 0; from < receipts.length; from += RECEIPTS_PER_LINE)
        log({ level: 'debug', event: 'delivered', receipts: receipts.slice(from, from + RECEIPTS_PER_LINE) });
    },
    report: (report) => {
      const entry = batchEntry(spec.logLevel, dimensions, report, Date.now());
      if (entry !== undefined) log(entry);
    },
  };
}

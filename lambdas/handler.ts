import { readFileSync } from 'node:fs';
import middy from '@middy/core';
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type * as z from 'zod';
import { deadLetterQueue } from './buffer/dead-letter-queue.ts';
import { sqsBatch } from './buffer/sqs.ts';
import { InvalidOptionError } from './core/errors.ts';
import { parseSpec } from './core/spec.ts';
import type { DeadLetters } from './dead-letter.ts';
import type { SinkDefinition, SinkEnvironment } from './deliver/sink.ts';
import { type BatchReport, type BufferMessage, createWorker } from './worker.ts';

/** What a handler runs with. On Lambda it all comes from the function's package and environment. */
export interface HandlerSetup extends SinkEnvironment {
  /** The task's spec, not yet parsed. */
  readonly spec: unknown;
  readonly deadLetters: DeadLetters;
  readonly report: (report: BatchReport) => void;
}

export type Handler = (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>;

/** The Lambda function of a task: decode → filter → render → deliver → report. @throws InvalidOptionError for a spec that is none. */
export function createHandler<Schema extends z.ZodType, Request>(
  definition: SinkDefinition<Schema, Request>,
  setup: HandlerSetup,
): Handler {
  const spec = parseSpec(setup.spec, definition.options);
  const worker = createWorker(spec, definition, setup);
  return middy(async (messages: readonly BufferMessage[], context: Context) => {
    const report = await worker.process(messages, { remainingMs: () => context.getRemainingTimeInMillis() });
    setup.report(report);
    return report;
  }).use(sqsBatch()) as unknown as Handler;
}

/** Reads `spec.json` from beside the bundle, and the rest from the function's environment. */
export function fromEnv(here: string): HandlerSetup {
  const spec = JSON.parse(readFileSync(new URL('./spec.json', here), 'utf8'));
  const queueUrl = process.env['DEAD_LETTER_QUEUE_URL'];
  if (queueUrl === undefined)
    throw new InvalidOptionError('DEAD_LETTER_QUEUE_URL', undefined, 'the URL of the dead-letter queue');
  const log = (entry: object) => console.log(JSON.stringify({ task: spec.task, ...entry }));
  return {
    spec,
    env: process.env,
    deadLetters: deadLetterQueue({ queueUrl, task: spec.task, log }),
    report: ({ failed, ...counts }) => log({ ...counts, failed: failed.length }),
  };
}

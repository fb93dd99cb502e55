import { randomUUID } from 'node:crypto';
import type { KinesisStreamEvent } from 'aws-lambda';
import { failedIds } from '../queue/batch-response.ts';
import { callFunction } from '../queue/lambda-function.ts';
import { eventBytes, type HeldRecord, sequenceNumbers } from './batch.ts';
import type { StreamInvocationResult, StreamMappingSettings } from './mapping-options.ts';

/** What became of the records handed to the function. */
export interface Outcome {
  /** How many of them, from the first, are done: the checkpoint passes these. */
  readonly done: number;
  /** Why all of them failed. */
  readonly failure?: { readonly error: unknown };
  readonly result: StreamInvocationResult;
}

/**
 * Hands records to the function (AWS Lambda, "Configuring partial batch response with Kinesis Data Streams"): the
 * lowest sequence number that it reports is the checkpoint; what it throws and what Lambda can't read fails them all.
 */
export async function invoke(
  settings: StreamMappingSettings,
  shardId: string,
  records: readonly HeldRecord[],
): Promise<Outcome> {
  const { clock } = settings;
  const startedAt = clock.now();
  const requestId = randomUUID();
  const numbers = sequenceNumbers(records);
  let done = 0;
  let failure: { error: unknown } | undefined;
  try {
    const failed = failedIds(await call(settings, eventOf(records), requestId), new Set(numbers));
    done = failed.size === 0 ? numbers.length : numbers.findIndex((number) => failed.has(number));
  } catch (error) {
    failure = { error };
  }
  const result = {
    requestId,
    shardId,
    records: numbers.length,
    bytes: eventBytes(records),
    durationMs: clock.now() - startedAt,
    failedSequenceNumbers: numbers.slice(done),
    ...failure,
  };
  return failure ? { done, failure, result } : { done, result };
}

function call(settings: StreamMappingSettings, event: KinesisStreamEvent, requestId: string): Promise<unknown> {
  const accountId = settings.streamArn.split(':')[4] ?? '';
  // The caller knows events of a queue; this function has its event already.
  const handler = (_: unknown, context: Parameters<typeof settings.handler>[1]) => settings.handler(event, context);
  return callFunction({ ...settings, accountId, handler }, { Records: [] }, requestId);
}

/** The function may do to its event what it likes. */
function eventOf(records: readonly HeldRecord[]): KinesisStreamEvent {
  return { Records: records.map(({ record }) => ({ ...record, kinesis: { ...record.kinesis } })) };
}

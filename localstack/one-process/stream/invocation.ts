import { randomUUID } from 'node:crypto';
import type { KinesisStreamEvent } from 'aws-lambda';
import { failedIds } from '../lambda/batch-response.ts';
import { invoke } from '../lambda/function.ts';
import { type BufferedRecord, eventBytes, sequenceNumbers } from './batch.ts';
import type { StreamInvocationResult, StreamMappingSettings } from './mapping-options.ts';

export interface InvocationOutcome {
  /** How many records, from the first, are done. The checkpoint moves behind them. */
  readonly done: number;
  /** Why all records failed. */
  readonly failure?: { readonly error: unknown };
  readonly result: StreamInvocationResult;
}

/**
 * Invokes the function with records. The lowest sequence number that it reports is the checkpoint; an error or an invalid
 * response fails all records (AWS Lambda, "Configuring partial batch response with Kinesis Data Streams").
 */
export async function invokeWith(
  settings: StreamMappingSettings,
  shardId: string,
  records: readonly BufferedRecord[],
): Promise<InvocationOutcome> {
  const { clock, streamArn } = settings;
  const startedAt = clock.now();
  const requestId = randomUUID();
  const numbers = sequenceNumbers(records);
  let done = 0;
  let failure: { error: unknown } | undefined;
  try {
    const fn = { ...settings, accountId: streamArn.split(':')[4] ?? '' };
    const failed = failedIds(await invoke(fn, eventOf(records), requestId), new Set(numbers));
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

/** A copy of the records, because the function may change its event. */
function eventOf(records: readonly BufferedRecord[]): KinesisStreamEvent {
  return { Records: records.map(({ record }) => ({ ...record, kinesis: { ...record.kinesis } })) };
}

import type { KinesisStreamRecord } from 'aws-lambda';
import { MAX_EVENT_BYTES } from '../queue/batch.ts';

const EMPTY_EVENT_BYTES = '{"Records":[]}'.length;

/** A record that was read and is not checkpointed. */
export interface HeldRecord {
  readonly record: KinesisStreamRecord;
  /** As JSON. */
  readonly bytes: number;
}

/** Records that go to the function together, in their order. */
export interface Batch {
  readonly records: readonly HeldRecord[];
  /** How often its first record has failed, other than in a batch that was then halved. */
  readonly failures: number;
  /** It is not to be tried before; milliseconds since the epoch. */
  readonly dueAt: number;
}

export function hold(record: KinesisStreamRecord): HeldRecord {
  return { record, bytes: Buffer.byteLength(JSON.stringify(record)) };
}

/** How many of the records, from the first, go into one event; the first always does. */
export function fittingCount(records: readonly HeldRecord[], batchSize: number): number {
  let bytes = EMPTY_EVENT_BYTES;
  let count = 0;
  while (count < Math.min(records.length, batchSize)) {
    bytes += records[count]!.bytes + (count > 0 ? 1 : 0);
    if (bytes > MAX_EVENT_BYTES && count > 0) break;
    count++;
  }
  return count;
}

/** The size of the event that the records make, as JSON. */
export function eventBytes(records: readonly HeldRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes, EMPTY_EVENT_BYTES) + records.length - 1;
}

/** Both halves of a batch of two records or more, the first of them first. */
export function halves({ records, failures, dueAt }: Batch): [Batch, Batch] {
  const middle = records.length >> 1;
  return [
    { records: records.slice(0, middle), failures, dueAt },
    { records: records.slice(middle), failures, dueAt },
  ];
}

export function sequenceNumbers(records: readonly HeldRecord[]): string[] {
  return records.map(({ record }) => record.kinesis.sequenceNumber);
}

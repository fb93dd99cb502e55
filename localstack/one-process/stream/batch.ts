import type { KinesisStreamRecord } from 'aws-lambda';
import { EMPTY_EVENT_BYTES, MAX_EVENT_BYTES, recordBytes } from '../lambda/event-size.ts';

/** A record that was read and is not behind the checkpoint yet. */
export interface BufferedRecord {
  readonly record: KinesisStreamRecord;
  /** As JSON. */
  readonly bytes: number;
}

/** Records of one event, in the order of the shard. */
export interface Batch {
  readonly records: readonly BufferedRecord[];
  /** Failed invocations of the first record, except those after which its batch was bisected. */
  readonly failures: number;
  /** When the batch may be invoked next; milliseconds since the epoch. */
  readonly dueAt: number;
}

export function bufferRecord(record: KinesisStreamRecord): BufferedRecord {
  return { record, bytes: recordBytes(record) };
}

/** How many records, from the first, fit into one event. The first record always fits. */
export function fittingCount(records: readonly BufferedRecord[], batchSize: number): number {
  let bytes = EMPTY_EVENT_BYTES;
  let count = 0;
  while (count < Math.min(records.length, batchSize)) {
    bytes += records[count]!.bytes + (count > 0 ? 1 : 0);
    if (bytes > MAX_EVENT_BYTES && count > 0) break;
    count++;
  }
  return count;
}

/** The size of the records' event as JSON. */
export function eventBytes(records: readonly BufferedRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes, EMPTY_EVENT_BYTES) + records.length - 1;
}

/** Bisects a batch of at least two records. */
export function bisect({ records, failures, dueAt }: Batch): [Batch, Batch] {
  const middle = records.length >> 1;
  return [
    { records: records.slice(0, middle), failures, dueAt },
    { records: records.slice(middle), failures, dueAt },
  ];
}

export function sequenceNumbers(records: readonly BufferedRecord[]): string[] {
  return records.map(({ record }) => record.kinesis.sequenceNumber);
}

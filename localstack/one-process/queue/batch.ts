import type { SQSRecord } from 'aws-lambda';
import { EMPTY_EVENT_BYTES, MAX_EVENT_BYTES, recordBytes } from '../lambda/event-size.ts';

/** The records of one event. */
export class Batch {
  readonly records: SQSRecord[] = [];
  /** Of the event as JSON. */
  bytes = EMPTY_EVENT_BYTES;
  /** A closed batch takes no more records, and waits for a free invocation. */
  isClosed = false;

  /** Adds a record, unless the event would become too large. The first record always fits. */
  add(record: SQSRecord): boolean {
    const comma = this.records.length > 0 ? 1 : 0;
    const bytes = this.bytes + comma + recordBytes(record);
    if (bytes > MAX_EVENT_BYTES) return false;
    this.records.push(record);
    this.bytes = bytes;
    return true;
  }
}

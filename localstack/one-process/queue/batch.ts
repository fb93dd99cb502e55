import type { SQSRecord } from 'aws-lambda';

/** The most an invocation may carry: the event as JSON, metadata and all. */
export const MAX_EVENT_BYTES = 6_291_456;

const EMPTY_EVENT_BYTES = '{"Records":[]}'.length;

/** Records on their way into one event. */
export class Batch {
  readonly records: SQSRecord[] = [];
  /** Of the event as JSON. */
  bytes = EMPTY_EVENT_BYTES;
  /** Nothing more goes in: it is to be handed over as soon as the function is free. */
  isClosed = false;

  /** Adds the record, or says no because the event would grow too big. Alone, a record always fits. */
  add(record: SQSRecord): boolean {
    const comma = this.records.length > 0 ? 1 : 0;
    const bytes = this.bytes + comma + Buffer.byteLength(JSON.stringify(record));
    if (bytes > MAX_EVENT_BYTES) return false;
    this.records.push(record);
    this.bytes = bytes;
    return true;
  }
}

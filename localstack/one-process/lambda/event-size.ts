/** The largest payload of a synchronous invocation: the event as JSON, with all metadata (AWS Lambda, "Lambda quotas"). */
export const MAX_EVENT_BYTES = 6_291_456;

export const EMPTY_EVENT_BYTES = '{"Records":[]}'.length;

/** The size of a record in an event, without the comma that separates it from the next. */
export function recordBytes(record: object): number {
  return Buffer.byteLength(JSON.stringify(record));
}

import type { ArrivedRecord, ReadResponse } from '../core/control-requests.ts';

/** AWS Lambda, "Quotas": a synchronous response has at most 6 MB. */
const MAX_RESPONSE_BYTES = 6_000_000;

/** Makes the response with the first records, as many as fit. */
export function withinResponse(records: readonly ArrivedRecord[]): ReadResponse {
  let bytes = 0;
  const fitting = records.findIndex((record) => {
    bytes += Buffer.byteLength(JSON.stringify(record)) + 1;
    return bytes > MAX_RESPONSE_BYTES;
  });
  const isCut = fitting >= 0;
  return { ok: true, records: isCut ? records.slice(0, fitting) : records, isCut };
}

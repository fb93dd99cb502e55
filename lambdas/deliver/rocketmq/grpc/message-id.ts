import { randomBytes } from 'node:crypto';

const VERSION = '01';
const PROCESS_BYTES = 8;
/** 2021-01-01T00:00:00Z, in seconds since 1970. */
const EPOCH_SECONDS = 1_609_459_200;

/**
 * Makes message ids as consumers know them (apache/rocketmq-clients, docs/message_id.md): 34 upper-case hex digits, of which
 * two are the version, sixteen the process, eight the seconds since 2021, and eight a counter. The process is random:
 * network addresses and process ids are alike in all sandboxes of Lambda.
 */
export function messageIds(): () => string {
  const process = randomBytes(PROCESS_BYTES).toString('hex').toUpperCase();
  let count = 0;
  return () => VERSION + process + hex(Date.now() / 1_000 - EPOCH_SECONDS) + hex(count++);
}

/** The lower four bytes. */
function hex(value: number): string {
  return (value >>> 0).toString(16).toUpperCase().padStart(8, '0');
}

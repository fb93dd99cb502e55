import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../net/clock.ts';

const PROCESS_BYTES = 10;
const COUNTERS = 0x1_0000;

/**
 * Makes message ids in the format of RocketMQ: 32 upper-case hex digits, of which ten bytes identify the process, four are the
 * milliseconds since the local month began (consoles show the time from them), and two are a counter. The process is identified
 * by a random number: addresses and process ids are the same in many of Lambda's sandboxes.
 */
export function messageIds(clock: Pick<Clock, 'wallMs'>): () => string {
  const process = randomBytes(PROCESS_BYTES).toString('hex').toUpperCase();
  let lastMs = 0;
  let count = 0;
  return () => {
    // The time never decreases, and advances when the counter wraps, so that no id repeats.
    lastMs = Math.max(lastMs + (count === COUNTERS - 1 ? 1 : 0), clock.wallMs());
    count = (count + 1) % COUNTERS;
    const now = new Date(lastMs);
    const sinceMonth = lastMs - new Date(now.getFullYear(), now.getMonth(), 1).getTime();
    return process + hex(sinceMonth, 8) + hex(count, 4);
  };
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

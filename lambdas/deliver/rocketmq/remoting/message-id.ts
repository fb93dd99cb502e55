import { randomBytes } from 'node:crypto';
import type { Clock } from '../../net/clock.ts';

const PROCESS_BYTES = 10;
const COUNTERS = 0x1_0000;

/**
 * Makes message ids as consumers know them: 32 upper-case hex digits, of which ten bytes tell the process, four the
 * milliseconds since the local month began (consoles read the time from them), two count. The process is told by chance:
 * addresses and process ids are alike in all of Lambda's sandboxes.
 */
export function messageIds(clock: Pick<Clock, 'wallMs'>): () => string {
  const process = randomBytes(PROCESS_BYTES).toString('hex').toUpperCase();
  let lastMs = 0;
  let count = 0;
  return () => {
    // A clock that was set back must not make an id twice; nor must more ids in a millisecond than can be counted.
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

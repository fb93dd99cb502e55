import { setTimeout as wait } from 'node:timers/promises';
import { isSettled, type Outcome, type Sink } from '../deliver/sink.ts';

/** The machine's time, injected so that tests need not wait. */
export interface RateLimitClock {
  /** Milliseconds, from any beginning. */
  now(): number;
  sleep(ms: number): Promise<unknown>;
}

const MACHINE: RateLimitClock = { now: () => performance.now(), sleep: (ms) => wait(ms) };

/** Waits for at least this many milliseconds' worth of tokens, so that a low rate still sends batches. */
const SLICE_MS = 250;

/**
 * Sends at most `recordsPerSecond`, with bursts of one second's worth. Records for which the deadline leaves no time are
 * unsent; with an order, so are records behind one that is owed.
 */
export function rateLimited<Request>(
  sink: Sink<Request>,
  recordsPerSecond: number,
  clock: RateLimitClock = MACHINE,
): Sink<Request> {
  const burst = Math.max(1, recordsPerSecond);
  let allowance = burst;
  let countedAt = clock.now();

  const refill = () => {
    const now = clock.now();
    allowance = Math.min(burst, allowance + ((now - countedAt) * recordsPerSecond) / 1000);
    countedAt = now;
  };

  return {
    ...sink,
    async deliver(requests, context) {
      const outcomes: Outcome[] = [];
      while (outcomes.length < requests.length) {
        const left = requests.length - outcomes.length;
        const wanted = Math.min(left, burst, Math.max(1, Math.floor((recordsPerSecond * SLICE_MS) / 1000)));
        refill();
        const waitMs = ((wanted - allowance) * 1000) / recordsPerSecond;
        if (waitMs > 0) {
          if (waitMs >= context.remainingMs()) break;
          await clock.sleep(waitMs);
          refill();
        }
        const count = Math.min(left, Math.max(1, Math.floor(allowance)));
        allowance -= count;
        const sent = await sink.deliver(requests.slice(outcomes.length, outcomes.length + count), context);
        outcomes.push(...sent);
        if (context.order !== undefined && !sent.every(isSettled)) break;
      }
      while (outcomes.length < requests.length) outcomes.push({ status: 'unsent' });
      return outcomes;
    },
  };
}

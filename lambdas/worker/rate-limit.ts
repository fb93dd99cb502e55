import { setTimeout as wait } from 'node:timers/promises';
import type { Outcome, Sink } from '../deliver/sink.ts';

/** Time, handed in so that tests need not wait for it. */
export interface PaceClock {
  /** Milliseconds, from any beginning. */
  now(): number;
  sleep(ms: number): Promise<unknown>;
}

const MACHINE: PaceClock = { now: () => performance.now(), sleep: (ms) => wait(ms) };

/** A wait for records' turn collects those of so long, so that a slow pace does not become a call per record. */
const SLICE_MS = 250;

/** Sends no more than so many records a second, with bursts of one second's; what the deadline leaves over is unsent. */
export function paced<Request>(
  sink: Sink<Request>,
  recordsPerSecond: number,
  clock: PaceClock = MACHINE,
): Sink<Request> {
  const most = Math.max(1, recordsPerSecond);
  let allowance = most;
  let countedAt = clock.now();

  const refill = () => {
    const now = clock.now();
    allowance = Math.min(most, allowance + ((now - countedAt) * recordsPerSecond) / 1000);
    countedAt = now;
  };

  return {
    ...sink,
    async deliver(requests, context) {
      const outcomes: Outcome[] = [];
      while (outcomes.length < requests.length) {
        const left = requests.length - outcomes.length;
        const wanted = Math.min(left, most, Math.max(1, Math.floor((recordsPerSecond * SLICE_MS) / 1000)));
        refill();
        const waitMs = ((wanted - allowance) * 1000) / recordsPerSecond;
        if (waitMs > 0) {
          if (waitMs >= context.remainingMs()) break;
          await clock.sleep(waitMs);
          refill();
        }
        const count = Math.min(left, Math.max(1, Math.floor(allowance)));
        allowance -= count;
        outcomes.push(...(await sink.deliver(requests.slice(outcomes.length, outcomes.length + count), context)));
      }
      while (outcomes.length < requests.length) outcomes.push({ status: 'unsent' });
      return outcomes;
    },
  };
}

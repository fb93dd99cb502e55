import type { Clock } from '../../../localstack/one-process/queue/clock.ts';

const SPEED = 50;

/** The machine's clock, made to run faster: pauses are as long as ever in proportion, and tests need not wait them out. */
export function quickClock(): Clock {
  const startedAt = Date.now();
  return {
    now: () => startedAt + (Date.now() - startedAt) * SPEED,
    after(ms, run) {
      const timer = setTimeout(run, ms / SPEED);
      return () => clearTimeout(timer);
    },
  };
}

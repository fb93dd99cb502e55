import type { Clock } from '../../../localstack/one-process/clock.ts';

const SPEED = 50;

/** The system clock at 50 times its speed, so that tests do not wait for pauses. */
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

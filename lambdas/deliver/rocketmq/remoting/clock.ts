import { performance } from 'node:perf_hooks';

/** Both clocks: where they disagree about how much time went by, the process was frozen or moved. */
export interface Clock {
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Milliseconds since some moment; never backwards. */
  monotonicMs(): number;
}

export const systemClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/** How long something may still take; a moment that all its steps share. */
export interface Deadline {
  /** Milliseconds, 0 once it has passed. */
  leftMs(): number;
}

export function deadlineIn(ms: number, clock: Clock, within?: Deadline): Deadline {
  const end = clock.monotonicMs() + Math.min(ms, within?.leftMs() ?? ms);
  return { leftMs: () => Math.max(0, end - clock.monotonicMs()) };
}

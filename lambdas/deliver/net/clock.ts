import { performance } from 'node:perf_hooks';

/** The wall clock and the monotonic clock. Where they disagree about elapsed time, the process was frozen or the clock was set. */
export interface Clock {
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Milliseconds since an arbitrary moment; never decreases. */
  monotonicMs(): number;
}

export const systemClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

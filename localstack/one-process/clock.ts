/** Time, which tests replace by a clock of their own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds. The returned function cancels the call. */
  after(ms: number, run: () => void): () => void;
}

/** `setTimeout` replaces a longer delay by 1 ms. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The system clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    if (ms > LONGEST_TIMEOUT_MS) throw new RangeError(`delay: got ${ms} ms; expected at most ${LONGEST_TIMEOUT_MS}`);
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

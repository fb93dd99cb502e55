/** Time, handed in so that tests need not wait for it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `run` once, `ms` from now; the function returned cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** setTimeout turns anything longer into 1 ms. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    if (ms > LONGEST_TIMEOUT_MS) throw new RangeError(`A timer can wait ${LONGEST_TIMEOUT_MS} ms at most, not ${ms}`);
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

import type { Clock } from '../queue/clock.ts';

const SHORTEST_RETRY_PAUSE_MS = 100;
const LONGEST_RETRY_PAUSE_MS = 5_000;

/** Waits, one at a time, that can be cut short. */
export interface Pause {
  wait(ms: number): Promise<void>;
  /** Ends the wait under way, if there is one. */
  cut(): void;
}

export function createPause(clock: Clock): Pause {
  let end = () => {};
  return {
    wait(ms) {
      return new Promise((resolve) => {
        const cancel = clock.after(ms, resolve);
        end = () => {
          cancel();
          resolve();
        };
      });
    },
    cut: () => end(),
  };
}

/** How long to wait after the given number of failures in a row: short enough for a desk, where AWS waits longer. */
export function retryPauseMs(failures: number): number {
  return Math.min(LONGEST_RETRY_PAUSE_MS, SHORTEST_RETRY_PAUSE_MS * 2 ** (failures - 1));
}

import type { Clock } from '../clock.ts';

const SHORTEST_RETRY_PAUSE_MS = 100;
const LONGEST_RETRY_PAUSE_MS = 5_000;

/** A wait that can be interrupted, one at a time. */
export interface Pause {
  wait(ms: number): Promise<void>;
  /** Ends the current wait, if there is one. */
  interrupt(): void;
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
    interrupt: () => end(),
  };
}

/** The pause after consecutive failures: 100 ms, doubled up to 5 s. AWS Lambda waits longer. */
export function retryPauseMs(failures: number): number {
  return Math.min(LONGEST_RETRY_PAUSE_MS, SHORTEST_RETRY_PAUSE_MS * 2 ** (failures - 1));
}

import type { Clock } from '../../net/clock.ts';

/** Names that something was done with a moment ago. */
export interface Recent {
  add(name: string): void;
  has(name: string): boolean;
}

const MAX_NAMES = 1_000;

export function openRecent(ms: number, clock: Pick<Clock, 'monotonicMs'>): Recent {
  // The latest last.
  const addedAtMs = new Map<string, number>();
  return {
    add(name) {
      addedAtMs.delete(name);
      addedAtMs.set(name, clock.monotonicMs());
      if (addedAtMs.size > MAX_NAMES) addedAtMs.delete(addedAtMs.keys().next().value!);
    },
    has(name) {
      return clock.monotonicMs() - (addedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < ms;
    },
  };
}

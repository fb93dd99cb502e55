import type { Clock } from '../../../net/clock.ts';

/** Names that expire. */
export interface TtlSet {
  /** Adds a name, or renews it. */
  add(name: string): void;
  has(name: string): boolean;
}

const MAX_NAMES = 1_000;

/** @param ttlMs Milliseconds after which a name expires. Beyond 1,000 names, the one added longest ago is dropped. */
export function openTtlSet(ttlMs: number, clock: Pick<Clock, 'monotonicMs'>): TtlSet {
  // In order of their times.
  const addedAtMs = new Map<string, number>();
  return {
    add(name) {
      addedAtMs.delete(name);
      addedAtMs.set(name, clock.monotonicMs());
      if (addedAtMs.size > MAX_NAMES) addedAtMs.delete(addedAtMs.keys().next().value!);
    },
    has(name) {
      return clock.monotonicMs() - (addedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < ttlMs;
    },
  };
}

import type { Clock } from './clock.ts';

/** The moment by which all steps of an operation must end. */
export interface Deadline {
  /** Milliseconds left; 0 once the deadline has passed. */
  leftMs(): number;
}

/** The deadline `ms` milliseconds from now, or `within` if that is earlier. */
export function deadlineIn(ms: number, clock: Pick<Clock, 'monotonicMs'>, within?: Deadline): Deadline {
  const end = clock.monotonicMs() + Math.min(ms, within?.leftMs() ?? ms);
  return { leftMs: () => Math.max(0, end - clock.monotonicMs()) };
}

import type { Clock } from '../../net/clock.ts';

/** Addresses that failed a short while ago: others are tried first. */
export interface Avoidance {
  avoid(address: string): void;
  /** It works again. */
  forgive(address: string): void;
  isAvoided(address: string): boolean;
}

export function openAvoidance(avoidMs: number, clock: Clock): Avoidance {
  const untilMs = new Map<string, number>();
  return {
    avoid(address) {
      for (const [known, until] of untilMs) if (until <= clock.monotonicMs()) untilMs.delete(known);
      untilMs.set(address, clock.monotonicMs() + avoidMs);
    },
    forgive: (address) => void untilMs.delete(address),
    isAvoided: (address) => (untilMs.get(address) ?? Number.NEGATIVE_INFINITY) > clock.monotonicMs(),
  };
}

import type { Clock } from '../../net/clock.ts';

/** Remembers which servers failed recently, so that others are tried first. */
export interface BrokerBackoff {
  /** @param address `host:port` of a broker or name server. */
  failed(address: string): void;
  recovered(address: string): void;
  isBackedOff(address: string): boolean;
}

/** @param backoffMs How long a server that failed is tried last. */
export function openBrokerBackoff(backoffMs: number, clock: Pick<Clock, 'monotonicMs'>): BrokerBackoff {
  const untilMs = new Map<string, number>();
  return {
    failed(address) {
      for (const [known, until] of untilMs) if (until <= clock.monotonicMs()) untilMs.delete(known);
      untilMs.set(address, clock.monotonicMs() + backoffMs);
    },
    recovered: (address) => void untilMs.delete(address),
    isBackedOff: (address) => (untilMs.get(address) ?? Number.NEGATIVE_INFINITY) > clock.monotonicMs(),
  };
}

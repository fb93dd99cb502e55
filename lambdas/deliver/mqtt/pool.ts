import { UnreachableError } from '../../net/dial.ts';
import { ConnectionClosedError, ConnectionRefusedError } from '../../net/mqtt/errors.ts';
import { reasonCodes, returnCodes } from '../../net/mqtt/reason-codes.ts';
import { isHungUp } from '../../net/tls.ts';
import type { Slot } from './slot.ts';

export interface Pool {
  /** The slot of a key: the same one for the same key. Without a key, slots take turns. */
  slot(key?: string): Slot;
  /**
   * Halves the pool when the broker accepts some of its connections and refuses others, as EMQX advises for a broker with a
   * connection limit. It first waits for the attempts of the other slots to connect.
   *
   * @returns whether another slot may have a connection.
   */
  refused(slot: Slot, error: unknown): Promise<boolean>;
  close(): void;
}

const LIMIT_REACHED: ReadonlySet<number> = new Set([
  reasonCodes.serverUnavailable,
  reasonCodes.serverBusy,
  reasonCodes.quotaExceeded,
  reasonCodes.connectionRateExceeded,
]);

/** @param log Called with the new size of the pool. */
export function openPool(slots: readonly Slot[], log: (entry: object) => void): Pool {
  let active = slots;
  let turn = 0;

  /** Keeps slots that have a connection. */
  function halve(reason: string): void {
    const openFirst = active.toSorted((a, b) => Number(b.isOpen) - Number(a.isOpen));
    const kept = openFirst.slice(0, Math.max(1, active.length >> 1));
    log({ level: 'warn', event: 'connection pool halved', from: active.length, to: kept.length, reason });
    for (const retired of openFirst.slice(kept.length)) void retired.retire();
    active = kept;
  }

  return {
    slot(key) {
      const at = key === undefined ? turn++ : hash(key);
      return active[at % active.length]!;
    },
    async refused(slot, error) {
      if (!isLimit(error)) return false;
      await Promise.all(active.map((other) => other.attempted()));
      if (!active.includes(slot)) return true;
      if (!active.some((other) => other !== slot && other.isOpen)) return false;
      halve((error as Error).message);
      return true;
    },
    close() {
      for (const slot of slots) slot.close();
    },
  };
}

/** Some brokers with a connection limit give a reason; others close the connection, even amid the TLS handshake. */
function isLimit(error: unknown): boolean {
  if (error instanceof ConnectionRefusedError) {
    const { code, protocolVersion } = error;
    return protocolVersion === 5 ? LIMIT_REACHED.has(code) : code === returnCodes.serverUnavailable;
  }
  if (!(error instanceof UnreachableError)) return false;
  const { cause } = error;
  return cause instanceof ConnectionClosedError || (cause instanceof Error && isHungUp(cause));
}

/** FNV-1a */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

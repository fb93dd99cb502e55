import type { UnreachableError } from '../../net/dial.ts';
import { ConnectionClosedError, ConnectionRefusedError } from '../../net/mqtt/errors.ts';
import { reasonCodes } from '../../net/mqtt/reason-codes.ts';
import type { Slot } from './slot.ts';

export interface Pool {
  /** The slot of a key: the same one for the same key. Without a key, slots take turns. */
  slot(key?: string): Slot;
  /**
   * Halves the pool when the broker accepts some of its connections and refuses others, as EMQX advises for a broker with a
   * connection limit.
   *
   * @returns whether another slot may have a connection.
   */
  refused(slot: Slot, error: unknown): boolean;
  /** Number of connections that the pool may open now. */
  readonly size: number;
  close(): void;
}

const LIMIT_REACHED: ReadonlySet<number> = new Set([
  reasonCodes.serverBusy,
  reasonCodes.quotaExceeded,
  reasonCodes.connectionRateExceeded,
]);

/** @param log Called with the new size of the pool. */
export function openPool(slots: readonly Slot[], log: (entry: object) => void): Pool {
  let size = slots.length;
  let turn = 0;

  return {
    slot(key) {
      const at = key === undefined ? turn++ : hash(key);
      return slots[at % size]!;
    },
    refused(slot, error) {
      const place = slots.indexOf(slot);
      if (place >= size) return true;
      if (!isLimit(error) || !slots.some((other, at) => at < size && other !== slot && other.isOpen)) return false;
      const before = size;
      size = Math.max(1, size >> 1);
      log({ level: 'warn', event: 'connection pool halved', from: before, to: size, reason: (error as Error).message });
      for (const retired of slots.slice(size, before)) void retired.retire();
      return place >= size;
    },
    get size() {
      return size;
    },
    close() {
      for (const slot of slots) slot.close();
    },
  };
}

/** Some brokers with a connection limit give a reason; others close the connection without a CONNACK. */
function isLimit(error: unknown): boolean {
  if (error instanceof ConnectionRefusedError) return error.protocolVersion === 5 && LIMIT_REACHED.has(error.code);
  return (error as UnreachableError).cause instanceof ConnectionClosedError;
}

/** FNV-1a */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

import * as z from 'zod';
import type { Clock } from '../../net/clock.ts';
import { filtersBytes, MAX_FILTERS_BYTES } from './config.ts';

/** Which invocation of the function holds a slot. Its holder writes it, and an invocation that claims the slot. */
export const slotState = z.object({
  /** Request id of the invocation that holds or claims the slot, or held it last. */
  owner: z.string(),
  phase: z.enum(['claimed', 'connected', 'released']),
  /** Whether the owner of a claimed slot waits for its holder, who sets this to false once it has disconnected. */
  waits: z.boolean(),
  /** When the owner last wrote it: milliseconds since 1970. */
  beatAt: z.number(),
  /** When the owner's invocation ends. */
  endsAt: z.number(),
  /** Version of the function that holds the slot. */
  version: z.string(),
  /** Every filter that the broker's session may be subscribed to. */
  filters: z.array(z.string()).readonly(),
  /** Whether the broker's session is subscribed to all of them. */
  isComplete: z.boolean(),
  /** Why the last attempt to connect failed. */
  failure: z.string().optional(),
});
export type SlotState = z.output<typeof slotState>;

/** The filters that a session may be subscribed to while it changes to others. If they do not fit, the oldest are forgotten. */
export function knownFilters(before: readonly string[], filters: readonly string[]): string[] {
  const known = [...new Set([...filters, ...before])];
  while (known.length > filters.length && filtersBytes(known) > MAX_FILTERS_BYTES) known.pop();
  return known;
}

export interface SlotReading {
  /** Undefined for a slot that no invocation has held. */
  readonly state: SlotState | undefined;
  /** Whether an operator has stopped the source. */
  readonly isStopped: boolean;
}

export interface SlotStore {
  read(): Promise<SlotReading>;
  write(state: SlotState): Promise<void>;
}

/** A holder that has written nothing for this long is gone. */
export const STALE_AFTER_MS = 45_000;
const BEAT_EVERY_MS = 15_000;

/** A slot that this invocation holds. Its calls never throw: a holder goes on while the store does not answer. */
export interface HeldSlot {
  /** Why this invocation has lost the slot; undefined while it holds it. */
  readonly lost: string | undefined;
  /** Reads the slot, and writes the heartbeat when it is due. @returns whether the store answered, and the slot is still held. */
  look(): Promise<boolean>;
  /** Changes the slot's state. */
  update(change: Partial<SlotState>): Promise<void>;
  /** Gives the slot up, to the invocation that has claimed it if there is one. */
  release(): Promise<void>;
}

export interface HeldSlotOptions {
  readonly store: SlotStore;
  /** The state with which this invocation has claimed the slot. */
  readonly claim: SlotState;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly log: (entry: object) => void;
}

export function heldSlot({ store, claim, clock, log }: HeldSlotOptions): HeldSlot {
  const { owner } = claim;
  let state = claim;
  let lost: string | undefined;

  async function write(next: SlotState): Promise<void> {
    state = next;
    try {
      await store.write(next);
    } catch (error) {
      log({ level: 'warn', event: 'slot state not written', reason: String(error) });
    }
  }

  return {
    get lost() {
      return lost;
    },
    async look() {
      if (lost !== undefined) return false;
      try {
        const { state: read, isStopped } = await store.read();
        if (isStopped) lost = 'the source is stopped';
        // CloudFormation writes the parameter's first value again when a tag of the stack changes.
        else if (read === undefined) await write({ ...state, beatAt: clock.wallMs() });
        else if (read.owner !== owner) lost = `handed over to ${read.owner}`;
      } catch (error) {
        log({ level: 'warn', event: 'slot state not read', reason: String(error) });
        return false;
      }
      if (lost !== undefined) return false;
      if (clock.wallMs() - state.beatAt >= BEAT_EVERY_MS) await write({ ...state, beatAt: clock.wallMs() });
      return true;
    },
    update: (change) => write({ ...state, ...change, beatAt: clock.wallMs() }),
    async release() {
      try {
        const { state: read } = await store.read();
        // The claim names every filter of this invocation, too.
        if (read?.owner === owner) await write({ ...state, phase: 'released', beatAt: clock.wallMs() });
        else if (read?.waits) await store.write({ ...read, waits: false });
      } catch (error) {
        log({ level: 'warn', event: 'slot not released', reason: String(error) });
      }
    },
  };
}

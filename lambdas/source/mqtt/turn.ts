import * as z from 'zod';
import type { Clock } from '../../net/clock.ts';
import { isTakenOver, type Session, SubscriptionError } from './session.ts';

/**
 * Which invocation of the function holds a slot. Only the holder writes it, but for two cases: another invocation claims the slot,
 * and an operator stops the source. The holder reads it every two seconds.
 */
export const slotState = z.object({
  /** Request id of the invocation that holds or claims the slot; `operator` for a source that is stopped. */
  owner: z.string(),
  phase: z.enum(['claimed', 'connected', 'released', 'stopped']),
  /** When the owner last wrote it: milliseconds since 1970. */
  beatAt: z.number(),
  /** When the holder's invocation ends. */
  endsAt: z.number().optional(),
  /** Version of the function that holds the slot. */
  version: z.string().optional(),
  /** Filters that the broker's session has. */
  filters: z.array(z.string()).readonly().optional(),
  /** Why the last attempt to connect failed. */
  failure: z.string().optional(),
});
export type SlotState = z.output<typeof slotState>;

export interface SlotStore {
  /** @returns undefined for a slot that no invocation has held. */
  read(): Promise<SlotState | undefined>;
  write(state: SlotState): Promise<void>;
}

export interface TurnSetup {
  readonly state: SlotStore;
  /** Request id of this invocation. */
  readonly owner: string;
  readonly version: string;
  readonly filters: readonly string[];
  /** Milliseconds until AWS Lambda ends this invocation. */
  readonly remainingMs: () => number;
  readonly open: (filtersBefore: readonly string[] | undefined) => Promise<Session>;
  readonly clock: Clock;
  readonly log: (entry: object) => void;
}

/** A holder that has written nothing for this long is gone. */
const STALE_AFTER_MS = 30_000;
const BEAT_EVERY_MS = 10_000;
const LOOK_EVERY_MS = 2_000;
const CLAIM_LOOK_EVERY_MS = 500;
/** A scheduled start takes over from a holder that ends before the next start would. */
const TAKE_OVER_BEFORE_MS = 75_000;
/** A session stops with this much time left, to store what it has received. */
const STOP_BEFORE_MS = 20_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

/**
 * Holds a slot for as long as the invocation lasts. A scheduled start ends at once while another invocation of the same version holds
 * the slot; otherwise it claims the slot, waits until the holder has disconnected in order, and connects. Two invocations that
 * connect all the same cost duplicates and no message: the broker ends the session of the first one.
 *
 * @returns what this invocation did, for the log.
 */
export async function takeTurn(setup: TurnSetup): Promise<string> {
  const { state, owner, version, filters, remainingMs, open, clock, log } = setup;
  const now = () => clock.wallMs();
  const isFresh = ({ beatAt }: SlotState) => now() - beatAt < STALE_AFTER_MS;

  const before = await state.read();
  if (before?.phase === 'stopped') return 'the source is stopped';
  const isHeld = before !== undefined && before.phase !== 'released' && isFresh(before);
  if (isHeld && before.version === version && (before.endsAt ?? 0) - now() > TAKE_OVER_BEFORE_MS)
    return 'another invocation holds the slot';
  const base: SlotState = { ...before, owner, version, phase: 'claimed', beatAt: now(), endsAt: now() + remainingMs() };
  await state.write(base);
  if (isHeld && !(await waitForRelease())) return 'another invocation has claimed the slot';

  let filtersBefore = before?.filters;
  for (
    let pauseMs = FIRST_PAUSE_MS;
    remainingMs() > STOP_BEFORE_MS;
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
  ) {
    try {
      const session = await open(filtersBefore);
      filtersBefore = filters;
      const result = await hold(session);
      if (result !== undefined) return result;
      pauseMs = FIRST_PAUSE_MS;
    } catch (error) {
      const failure = (error as Error).message;
      log({ level: 'warn', event: 'source not connected', reason: failure });
      if (!(await isOwner())) {
        await release();
        return 'another invocation has claimed the slot';
      }
      await state.write({ ...base, phase: 'claimed', beatAt: now(), failure });
      // A refused subscription stays refused until the configuration changes, or the broker's.
      if (error instanceof SubscriptionError) pauseMs = LONGEST_PAUSE_MS;
    }
    await clock.sleep(pauseMs);
  }
  await release();
  return 'the invocation ends';

  /** @returns whether this invocation may connect. */
  async function waitForRelease(): Promise<boolean> {
    for (;;) {
      await clock.sleep(CLAIM_LOOK_EVERY_MS);
      const current = await state.read();
      if (current?.phase === 'released' || current === undefined) return true;
      if (current.phase === 'stopped') return false;
      if (current.owner !== owner) {
        // The holder wrote its heartbeat over the claim, or yet another invocation claims the slot.
        if (current.phase === 'claimed') return false;
        await state.write({ ...base, filters: current.filters });
      } else if (!isFresh(current)) return true;
    }
  }

  async function isOwner(): Promise<boolean> {
    return (await state.read())?.owner === owner;
  }

  async function release(): Promise<void> {
    const current = await state.read();
    if (current !== undefined && (current.owner === owner || current.phase === 'claimed'))
      await state.write({ ...current, phase: 'released', filters: [...filters], beatAt: now() });
  }

  /** Holds the slot with a session. @returns what ended it; undefined when the connection ended and a new one may be opened. */
  async function hold(session: Session): Promise<string | undefined> {
    const connected: SlotState = { ...base, phase: 'connected', filters: [...filters], beatAt: now() };
    delete connected.failure;
    await state.write(connected);
    let beatAt = connected.beatAt;
    const ended = session.ended.then((reason) => ({ reason }));
    for (;;) {
      const end = await Promise.race([ended, clock.sleep(LOOK_EVERY_MS).then(() => undefined)]);
      const current = await state.read().catch((error) => {
        log({ level: 'warn', event: 'slot state not read', reason: String(error) });
        return connected;
      });
      const isOurs = current?.owner === owner;
      if (end !== undefined) {
        log({ level: 'warn', event: 'source disconnected', reason: end.reason.message });
        if (isTakenOver(end.reason) || !isOurs) return 'another connection has taken the session';
        return undefined;
      }
      if (!isOurs || remainingMs() <= STOP_BEFORE_MS) {
        await session.stop();
        await release();
        return isOurs ? 'the invocation ends' : `handed over to ${current?.owner}`;
      }
      if (now() - beatAt >= BEAT_EVERY_MS) {
        beatAt = now();
        await state.write({ ...connected, beatAt });
      }
    }
  }
}

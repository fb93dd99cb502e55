import type { Clock } from '../../net/clock.ts';
import { isTakenOver, type Session, type Subscribed, SubscriptionError, UNKNOWN_SUBSCRIPTIONS } from './session.ts';
import { heldSlot, knownFilters, type SlotState, type SlotStore, STALE_AFTER_MS } from './slot.ts';

export interface TurnSetup {
  readonly store: SlotStore;
  /** Request id of this invocation. */
  readonly owner: string;
  readonly version: string;
  readonly filters: readonly string[];
  /** Milliseconds until AWS Lambda ends this invocation. */
  readonly remainingMs: () => number;
  readonly open: (before: Subscribed) => Promise<Session>;
  readonly clock: Clock;
  readonly log: (entry: object) => void;
}

/** The holder reads its slot this often: a hand-over begins as soon as it sees the claim. */
const LOOK_EVERY_MS = 2_000;
const CLAIM_LOOK_EVERY_MS = 500;
/**
 * Another invocation that found the slot free at the same moment has written its claim after this time, and the last claim holds
 * (Fischer's algorithm of mutual exclusion).
 */
const CLAIM_SETTLES_MS = 1_000;
/** A scheduled start takes over from a holder that ends before the next start would. */
const TAKE_OVER_BEFORE_MS = 90_000;
/** A session stops with this much time left, to store what it has received. */
const STOP_BEFORE_MS = 20_000;
/** Twice this, and the time until the holder sees a claim, are less than the time after which a holder counts as gone. */
const STOP_WITHIN_MS = 8_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

/**
 * Holds a slot for as long as the invocation lasts. A scheduled start ends at once while another invocation of the same version holds
 * the slot; otherwise it claims the slot, waits until the holder has disconnected in order, and connects. Two invocations that
 * connect all the same cost duplicates and no message: the broker ends the session of the first one.
 *
 * It never throws: the next start comes within a minute. Without an answer of the store, no invocation begins to hold a slot, and one
 * that holds it goes on.
 *
 * @returns what this invocation did, for the log.
 */
export async function takeTurn(setup: TurnSetup): Promise<string> {
  try {
    return await claimAndHold(setup);
  } catch (error) {
    setup.log({ level: 'error', event: 'source not started', reason: String(error) });
    return `the slot was not claimed: ${(error as Error).message}`;
  }
}

async function claimAndHold(setup: TurnSetup): Promise<string> {
  const { store, owner, version, filters, remainingMs, clock } = setup;
  const { state: before, isStopped } = await store.read();
  if (isStopped) return 'the source is stopped';
  const now = clock.wallMs();
  const isHeld = before !== undefined && before.phase !== 'released' && now - before.beatAt < STALE_AFTER_MS;
  if (isHeld && before.version === version && before.endsAt - now > TAKE_OVER_BEFORE_MS)
    return 'another invocation holds the slot';
  const claim: SlotState = {
    owner,
    version,
    phase: 'claimed',
    waits: isHeld,
    beatAt: now,
    endsAt: now + remainingMs(),
    filters: knownFilters(before?.filters ?? [], filters),
    isComplete: false,
  };
  await store.write(claim);
  const refusal = isHeld ? await untilReleased(claim, before.owner, setup) : await untilSettled(claim, setup);
  return refusal ?? hold(setup, claim, before ?? UNKNOWN_SUBSCRIPTIONS);
}

/** @returns why this invocation does not get a slot that was free; undefined if it does. */
async function untilSettled({ owner }: SlotState, { store, clock }: TurnSetup): Promise<string | undefined> {
  await clock.sleep(CLAIM_SETTLES_MS);
  const { state, isStopped } = await store.read();
  if (isStopped) return 'the source is stopped';
  if (state?.owner === owner) return undefined;
  // The other one took this claim for that of a holder.
  if (state?.waits) await store.write({ ...state, waits: false });
  return 'another invocation has claimed the slot';
}

/** Waits for the holder. @returns as `untilSettled`. */
async function untilReleased(claim: SlotState, holder: string, setup: TurnSetup): Promise<string | undefined> {
  const { store, remainingMs, clock, log } = setup;
  let refusal: string | undefined;
  // A holder that has not seen the claim by then is gone.
  while (clock.wallMs() - claim.beatAt < STALE_AFTER_MS && remainingMs() > STOP_BEFORE_MS) {
    await clock.sleep(CLAIM_LOOK_EVERY_MS);
    try {
      const { state, isStopped } = await store.read();
      refusal = undefined;
      if (isStopped) return 'the source is stopped';
      if (state === undefined || state.phase === 'released') {
        // The holder ended when it had not seen the claim.
        await store.write({ ...claim, waits: false });
        return await untilSettled(claim, setup);
      }
      if (state.owner === claim.owner) {
        if (!state.waits) return undefined;
      } else if (state.owner === holder) {
        // The holder wrote its heartbeat over the claim.
        await store.write(claim);
      } else return 'another invocation has claimed the slot';
    } catch (error) {
      refusal = `the slot was not read: ${(error as Error).message}`;
      log({ level: 'warn', event: 'slot state not read', reason: String(error) });
    }
  }
  return refusal;
}

/** Connects, and connects again, until the invocation ends or loses the slot. */
async function hold(setup: TurnSetup, claim: SlotState, before: Subscribed): Promise<string> {
  const { store, filters, remainingMs, open, clock, log } = setup;
  const slot = heldSlot({ store, claim: { ...claim, waits: false }, clock, log });
  let subscribed = before;
  let pauseMs = FIRST_PAUSE_MS;
  const goesOn = () => slot.lost === undefined && remainingMs() > STOP_BEFORE_MS;
  while (goesOn()) {
    try {
      const session = await looking(open(subscribed));
      subscribed = { filters, isComplete: true };
      pauseMs = FIRST_PAUSE_MS;
      if (slot.lost === undefined)
        await slot.update({
          phase: 'connected',
          waits: false,
          filters: [...filters],
          isComplete: true,
          failure: undefined,
        });
      const end = await endOf(session);
      if (end === undefined) break;
      log({ level: 'warn', event: 'source disconnected', reason: end.message });
      if (isTakenOver(end)) return 'another connection has taken the session';
    } catch (error) {
      const failure = (error as Error).message;
      log({ level: 'warn', event: 'source not connected', reason: failure });
      subscribed = { ...subscribed, filters: claim.filters, isComplete: false };
      await slot.update({ phase: 'claimed', filters: claim.filters, isComplete: false, failure });
      // A refused subscription stays refused until the configuration changes, or the broker's.
      if (error instanceof SubscriptionError) pauseMs = LONGEST_PAUSE_MS;
    }
    await looking(clock.sleep(pauseMs));
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    // Whoever does not know that it holds the slot does not take the session from another one.
    while (goesOn() && !(await slot.look())) await clock.sleep(LOOK_EVERY_MS);
  }
  await slot.release();
  return slot.lost ?? 'the invocation ends';

  /** Waits for work, and looks at the slot meanwhile. */
  async function looking<Result>(work: Promise<Result>): Promise<Result> {
    let isDone = false;
    const done = work.then(
      () => {
        isDone = true;
      },
      () => {
        isDone = true;
      },
    );
    while (!isDone) {
      await Promise.race([done, clock.sleep(LOOK_EVERY_MS)]);
      if (!isDone) await slot.look();
    }
    return work;
  }

  /** @returns the reason why the connection ended; undefined if this invocation has stopped the session. */
  async function endOf(session: Session) {
    const ended = session.ended.then((reason) => reason);
    while (goesOn()) {
      const end = await Promise.race([ended, clock.sleep(LOOK_EVERY_MS).then(() => undefined)]);
      if (end !== undefined) return end;
      await slot.look();
    }
    await session.stop(STOP_WITHIN_MS);
    return undefined;
  }
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Intake, openIntake, type Store } from '../../../lambdas/source/mqtt/intake.ts';
import { runs } from '../../support/property-runs.ts';
import { envelope, textOf } from './envelopes.ts';
import { SimulatedClock } from './simulated-clock.ts';

const MAX_CALLS = 3;
const MAX_MESSAGES = 4;
const WINDOW = 10;

/** What happens next: messages arrive, or one of the running calls ends and stores some of its messages. */
type Step = { readonly arrive: number } | { readonly ends: number; readonly failing: readonly boolean[] };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ arrive: fc.integer({ min: 1, max: 8 }) }),
  fc.record({ ends: fc.nat(), failing: fc.array(fc.boolean(), { maxLength: MAX_MESSAGES }) }),
);

interface Call {
  readonly names: readonly string[];
  readonly end: (stored: boolean[]) => void;
}

function world(maxCalls = MAX_CALLS) {
  const clock = new SimulatedClock();
  const running: Call[] = [];
  const begun: string[] = [];
  const stored: string[] = [];
  const acknowledged: string[] = [];
  const full: boolean[] = [];
  let received = 0;
  const store: Store = (envelopes) => {
    const names = envelopes.map(textOf);
    begun.push(...names);
    expect(names.length).toBeLessThanOrEqual(MAX_MESSAGES);
    return new Promise((resolve) => running.push({ names, end: resolve }));
  };
  const intake: Intake = openIntake({
    store,
    maxCalls,
    maxMessages: MAX_MESSAGES,
    window: WINDOW,
    onFull: (isFull) => full.push(isFull),
    clock,
  });
  return {
    clock,
    running,
    begun,
    stored,
    acknowledged,
    full,
    intake,
    receive(count: number) {
      for (let i = 0; i < count; i++) {
        const name = `${received++}`;
        intake.receive(envelope('t', name), () => acknowledged.push(name));
      }
    },
    async end(which: number, failing: readonly boolean[] = []) {
      const [call] = running.splice(which % running.length, 1);
      const results = call!.names.map((_, index) => !failing[index]);
      stored.push(...call!.names.filter((_, index) => results[index]));
      call!.end(results);
      await clock.advance(0);
    },
    get received() {
      return received;
    },
  };
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe('the intake of an MQTT source', () => {
  it('acknowledges only what is stored, and in the order of receipt, whatever calls fail and in whatever order they end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const at = world();
        const check = () => {
          expect(at.running.length).toBeLessThanOrEqual(MAX_CALLS);
          expect(at.acknowledged).toEqual(numbered(at.acknowledged.length));
          for (const name of at.acknowledged) expect(at.stored).toContain(name);
          expect(at.intake.waiting).toBe(at.received - at.acknowledged.length);
        };
        for (const one of steps) {
          if ('arrive' in one) at.receive(one.arrive);
          else if (at.running.length > 0) await at.end(one.ends, one.failing);
          await at.clock.advance(1_000);
          check();
        }
        const drained = at.intake.drained();
        for (let turn = 0; turn < 1_000 && at.intake.waiting > 0; turn++) {
          if (at.running.length > 0) await at.end(0);
          await at.clock.advance(5_000);
        }
        await drained;
        check();
        expect(at.acknowledged).toEqual(numbered(at.received));
        // A message that is stored is not stored again.
        expect(at.stored.length).toBe(new Set(at.stored).size);
      }),
      { numRuns: runs(300) },
    );
  });

  it('asks a broker to wait that exceeds the window, until half of it is acknowledged', async () => {
    const at = world(1);
    at.receive(WINDOW);
    await at.clock.advance(0);
    expect(at.full).toEqual([]);
    at.receive(1);
    expect(at.full).toEqual([true]);
    await at.end(0);
    expect([at.intake.waiting, at.full]).toEqual([WINDOW + 1 - MAX_MESSAGES, [true]]);
    await at.end(0);
    expect([at.intake.waiting, at.full]).toEqual([WINDOW + 1 - 2 * MAX_MESSAGES, [true, false]]);
  });

  it('stores a batch again before a later one begins, with one call at a time', async () => {
    const at = world(1);
    at.receive(MAX_MESSAGES + 1);
    await at.clock.advance(0);
    await at.end(0, [false, true]);
    await at.clock.advance(99);
    expect(at.running).toEqual([]);
    await at.clock.advance(1);
    expect(at.running.map(({ names }) => names)).toEqual([['1']]);
    expect(at.acknowledged).toEqual(['0']);
    await at.end(0);
    expect(at.acknowledged).toEqual(['0', '1', '2', '3']);
    expect(at.running.map(({ names }) => names)).toEqual([['4']]);
  });

  it('pauses between attempts for 100 ms, twice as long each time, and 5 s at most', async () => {
    const at = world(1);
    at.receive(1);
    await at.clock.advance(0);
    for (const pauseMs of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
      await at.end(0, [true]);
      await at.clock.advance(pauseMs - 1);
      expect(at.running).toEqual([]);
      await at.clock.advance(1);
      expect(at.running.length).toBe(1);
    }
  });

  it('forgets what no call has begun to store, and acknowledges what the begun calls store', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const at = world();
        at.receive(1);
        for (const one of steps) {
          if ('arrive' in one) at.receive(one.arrive);
          else if (at.running.length > 0) await at.end(one.ends, one.failing);
          await at.clock.advance(0);
        }
        const { length } = at.begun;
        let isDropped = false;
        const dropped = at.intake.drop().then(() => {
          isDropped = true;
        });
        at.receive(3);
        while (at.running.length > 0) {
          await at.clock.advance(10_000);
          expect(isDropped).toBe(false);
          await at.end(at.running.length - 1);
        }
        await dropped;
        await at.clock.advance(10_000);
        expect(at.begun.length).toBe(length);
        expect(at.acknowledged).toEqual(numbered(at.acknowledged.length));
        for (const name of at.acknowledged) expect(at.stored).toContain(name);
        await at.intake.drained();
      }),
    );
  });
});

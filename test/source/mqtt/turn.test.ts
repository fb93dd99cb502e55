import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../lambdas/net/clock.ts';
import { ConnectionClosedError } from '../../../lambdas/net/mqtt/errors.ts';
import { type Session, type Subscribed, SubscriptionError } from '../../../lambdas/source/mqtt/session.ts';
import { knownFilters, type SlotState, type SlotStore } from '../../../lambdas/source/mqtt/slot.ts';
import { takeTurn } from '../../../lambdas/source/mqtt/turn.ts';
import { runs } from '../../support/property-runs.ts';
import { SimulatedClock } from './simulated-clock.ts';

const MINUTE = 60_000;
const LIFETIME = 15 * MINUTE;
const never = new Promise<never>(() => {});

interface Start {
  readonly version?: string;
  readonly filters?: readonly string[];
  readonly lifetimeMs?: number;
  /** Times of the calls of the store and of the broker, in turn. */
  readonly delaysMs?: readonly number[];
}

interface Invocation {
  readonly result: Promise<string>;
  /** What it returned; undefined while it runs. */
  returned: string | undefined;
  readonly logged: Record<string, unknown>[];
  readonly opened: Subscribed[];
  /** Ends it as a crash of the sandbox does. */
  kill(): void;
  storeFails: boolean;
  storeLosesWrites: boolean;
}

/** A broker with one client id, a slot, and invocations. */
function world({ sendsTakenOver = true } = {}) {
  const clock = new SimulatedClock();
  const at = {
    clock,
    state: undefined as SlotState | undefined,
    isStopped: false,
    /** Why the broker refuses to connect. */
    refusal: undefined as Error | undefined,
    connected: undefined as string | undefined,
    /** Connections that the broker ended because another one took the session. */
    takeovers: 0,
    connections: [] as string[],
    /** Whether what a session has received cannot be stored. */
    isStuck: false,
    close: undefined as ((reason: ConnectionClosedError) => void) | undefined,
    start,
  };
  let owners = 0;

  function start({ version = '1', filters = ['a/#'], lifetimeMs = LIFETIME, delaysMs = [20] }: Start = {}): Invocation {
    const owner = `${++owners}`;
    const endsAt = clock.now() + lifetimeMs;
    let isKilled = false;
    let step = 0;
    const alive = <Result>(value: Result) => (isKilled ? never : value);
    const delay = () => clock.sleep(delaysMs[step++ % delaysMs.length]!);
    const own: Clock = {
      wallMs: () => clock.now(),
      monotonicMs: () => clock.now(),
      sleep: async (ms) => alive(await clock.sleep(ms)),
    };
    const store: SlotStore = {
      async read() {
        await alive(await delay());
        if (invocation.storeFails) throw new Error('Rate exceeded');
        return { state: at.state, isStopped: at.isStopped };
      },
      async write(state) {
        await alive(await delay());
        if (invocation.storeFails) throw new Error('Rate exceeded');
        if (!invocation.storeLosesWrites) at.state = structuredClone(state);
      },
    };
    const open = async (before: Subscribed): Promise<Session> => {
      invocation.opened.push(before);
      await alive(await delay());
      if (at.refusal !== undefined) throw at.refusal;
      if (at.connected !== undefined) {
        at.takeovers++;
        at.close!(new ConnectionClosedError('taken over', sendsTakenOver ? { code: 0x8e } : {}));
      }
      at.connected = owner;
      at.connections.push(owner);
      let isOpen = true;
      const ended = new Promise<ConnectionClosedError>((resolve) => {
        at.close = (reason) => {
          if (!isOpen) return;
          isOpen = false;
          if (at.connected === owner) at.connected = undefined;
          resolve(reason);
        };
      });
      const close = at.close!;
      return {
        ended,
        received: 0,
        async stop(withinMs) {
          await alive(await (at.isStuck ? clock.sleep(2 * withinMs) : delay()));
          close(new ConnectionClosedError('this client disconnected'));
        },
      };
    };
    const invocation: Invocation = {
      logged: [],
      opened: [],
      returned: undefined,
      storeFails: false,
      storeLosesWrites: false,
      kill() {
        isKilled = true;
        if (at.connected === owner) at.close!(new ConnectionClosedError('killed'));
      },
      result: undefined as never,
    };
    const log = (entry: object) => void invocation.logged.push(entry as Record<string, unknown>);
    const remainingMs = () => endsAt - clock.now();
    const result = takeTurn({ store, owner, version, filters, remainingMs, open, clock: own, log });
    void result.then((returned) => {
      expect(clock.now()).toBeLessThan(endsAt);
      invocation.returned = returned;
    });
    return Object.assign(invocation, { result });
  }
  return at;
}

describe('the turn of an invocation at its slot', () => {
  it('connects a free slot, and ends at once while another invocation of its version holds it', async () => {
    const at = world();
    at.start();
    await at.clock.advance(2_000);
    expect(at.connected).toBe('1');
    const second = at.start();
    await at.clock.advance(100);
    expect(second.returned).toBe('another invocation holds the slot');
    expect(at.connected).toBe('1');
  });

  it('hands the slot over in order before the invocation ends, and never leaves it empty for 3 s', async () => {
    const at = world();
    let emptyMs = 0;
    for (let minute = 0; minute < 50; minute++) {
      at.start();
      for (let second = 0; second < 60; second++) {
        await at.clock.advance(1_000);
        emptyMs = at.connected === undefined ? emptyMs + 1_000 : 0;
        expect(emptyMs).toBeLessThan(3_000);
      }
    }
    expect(at.takeovers).toBe(0);
    expect(at.connections.length).toBe(4);
  });

  it('lets a new version take over within 4 s, with the filters of the one before', async () => {
    const at = world();
    at.start({ filters: ['a', 'b'] });
    await at.clock.advance(MINUTE);
    const second = at.start({ version: '2', filters: ['b', 'c'] });
    await at.clock.advance(4_000);
    expect(at.connected).toBe('2');
    expect(second.opened).toMatchObject([{ filters: ['a', 'b'], isComplete: true }]);
    expect(at.state).toMatchObject({ phase: 'connected', filters: ['b', 'c'], isComplete: true });
    expect(at.takeovers).toBe(0);
  });

  it('has one connection at a time, whenever two or three invocations start, and whatever their calls take', async () => {
    const start = fc.record({
      afterMs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 60_000 })),
      version: fc.constantFrom('1', '2'),
      lifetimeMs: fc.constantFrom(40_000, 100_000),
      delaysMs: fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(start, { minLength: 2, maxLength: 3 }),
        fc.boolean(),
        async (starts, sendsTakenOver) => {
          const at = world({ sendsTakenOver });
          const invocations: Invocation[] = [];
          for (const { afterMs, ...how } of starts) {
            await at.clock.advance(afterMs);
            invocations.push(at.start(how));
          }
          await at.clock.advance(5_000);
          expect(at.takeovers).toBe(0);
          // The scheduled starts go on.
          for (let minute = 0; minute < 4; minute++) {
            invocations.push(at.start({ version: '2' }));
            await at.clock.advance(MINUTE);
          }
          expect(at.takeovers).toBe(0);
          expect(at.connected).toBeDefined();
          await at.clock.advance(LIFETIME);
          for (const { returned } of invocations) expect(returned).toBeDefined();
          expect(at.state?.phase).toBe('released');
        },
      ),
      { numRuns: runs(150) },
    );
  });

  it('replaces a killed invocation within two minutes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 100_000 }), async (killAfterMs) => {
        const at = world();
        const first = at.start();
        await at.clock.advance(killAfterMs);
        first.kill();
        for (let minute = 0; minute < 2; minute++) {
          await at.clock.advance(MINUTE);
          at.start();
        }
        await at.clock.advance(2_000);
        expect(at.connected).toMatch(/^[23]$/);
        expect(at.takeovers).toBe(0);
      }),
    );
  });

  it('takes over from a holder that answers no claim, once its heartbeat is stale', async () => {
    const at = world();
    const first = at.start();
    await at.clock.advance(5_000);
    first.storeFails = true;
    for (let minute = 0; minute < 2; minute++) {
      at.start();
      await at.clock.advance(MINUTE);
    }
    expect(at.connections).toEqual(['1', '3']);
    expect(at.takeovers).toBe(1);
    expect(first.returned).toBe('another connection has taken the session');
  });

  it('does not fight for a session: a bare close makes a holder that cannot read its slot wait', async () => {
    const at = world({ sendsTakenOver: false });
    const first = at.start();
    await at.clock.advance(5_000);
    first.storeFails = true;
    for (let minute = 0; minute < 5; minute++) {
      at.start();
      await at.clock.advance(MINUTE);
    }
    expect(at.takeovers).toBe(1);
    first.storeFails = false;
    await at.clock.advance(5_000);
    expect(first.returned).toBe('handed over to 3');
  });

  it('holds a slot while the store does not answer, and reconnects after a bare close when it answers again', async () => {
    const at = world();
    const first = at.start();
    await at.clock.advance(5_000);
    first.storeFails = true;
    await at.clock.advance(2 * MINUTE);
    expect(at.connected).toBe('1');
    at.close!(new ConnectionClosedError('the broker closed the connection'));
    await at.clock.advance(MINUTE);
    expect(at.connected).toBeUndefined();
    first.storeFails = false;
    await at.clock.advance(5_000);
    expect([at.connected, at.state?.phase]).toEqual(['1', 'connected']);
  });

  it('ends without an error when the slot cannot be read or claimed', async () => {
    const at = world();
    const first = at.start();
    first.storeFails = true;
    await at.clock.advance(1_000);
    expect(first.returned).toBe('the slot was not claimed: Rate exceeded');
    expect(first.logged).toMatchObject([{ level: 'error', event: 'source not started' }]);
    expect(at.connections).toEqual([]);
    const second = at.start();
    await at.clock.advance(50);
    second.storeFails = true;
    await at.clock.advance(5_000);
    expect(second.returned).toBe('the slot was not claimed: Rate exceeded');
  });

  it('never throws, whatever calls of the store fail', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(40), { maxLength: 8 }), async (times) => {
        const at = world();
        const invocations: Invocation[] = [];
        for (const [i, seconds] of times.entries()) {
          const invocation = at.start({ version: `${i % 3}`, lifetimeMs: 2 * MINUTE });
          invocations.push(invocation);
          await at.clock.advance(seconds * 500);
          invocation.storeFails = true;
          await at.clock.advance(seconds * 500);
          invocation.storeFails = seconds % 2 === 0;
        }
        await at.clock.advance(2 * MINUTE);
        for (const { returned } of invocations) expect(returned).toBeDefined();
      }),
      { numRuns: runs(50) },
    );
  });

  it('disconnects for an operator within 3 s, and starts no session while the source is stopped', async () => {
    const at = world();
    const first = at.start();
    await at.clock.advance(5_000);
    at.isStopped = true;
    await at.clock.advance(3_000);
    expect([at.connected, first.returned]).toEqual([undefined, 'the source is stopped']);
    const second = at.start();
    await at.clock.advance(3_000);
    expect(second.returned).toBe('the source is stopped');
    at.isStopped = false;
    at.start();
    await at.clock.advance(3_000);
    expect(at.connected).toBe('3');
  });

  it('goes on, and remembers its filters, when CloudFormation writes the first value of the parameter again', async () => {
    const at = world();
    at.start({ filters: ['a'] });
    await at.clock.advance(5_000);
    at.state = undefined;
    await at.clock.advance(3_000);
    expect([at.connected, at.takeovers]).toEqual(['1', 0]);
    expect(at.state).toMatchObject({ owner: '1', phase: 'connected', filters: ['a'], isComplete: true });
  });

  it('hands over before the claim is stale, if the buffer stores nothing', async () => {
    const at = world();
    at.start();
    await at.clock.advance(5_000);
    at.isStuck = true;
    at.start({ version: '2' });
    await at.clock.advance(25_000);
    expect([at.connected, at.takeovers]).toEqual(['2', 0]);
  });

  it('tries a broker that refuses after 1 s, and 15 s apart later, and keeps the slot', async () => {
    const at = world();
    at.refusal = new Error('CONNACK 0x87');
    const first = at.start();
    await at.clock.advance(5 * MINUTE);
    expect(first.opened.length).toBeGreaterThan(20);
    expect(first.opened.length).toBeLessThan(30);
    expect(at.state).toMatchObject({ owner: '1', phase: 'claimed', failure: 'CONNACK 0x87' });
    const second = at.start();
    await at.clock.advance(1_000);
    expect(second.returned).toBe('another invocation holds the slot');
    at.refusal = undefined;
    await at.clock.advance(20_000);
    expect(at.state).toMatchObject({ owner: '1', phase: 'connected' });
    expect(at.state).not.toHaveProperty('failure', expect.anything());
  });

  it('subscribes again after a refused subscription: the session may have some of the filters', async () => {
    const at = world();
    at.start({ filters: ['a'] });
    await at.clock.advance(5_000);
    at.refusal = new SubscriptionError('the broker refuses b');
    const second = at.start({ version: '2', filters: ['b'] });
    await at.clock.advance(10_000);
    expect(at.state).toMatchObject({ phase: 'claimed', filters: ['b', 'a'], isComplete: false });
    second.kill();
    await at.clock.advance(MINUTE);
    at.refusal = undefined;
    const third = at.start({ version: '3', filters: ['c'] });
    await at.clock.advance(5_000);
    expect(third.opened).toMatchObject([{ filters: ['b', 'a'], isComplete: false }]);
    expect(at.state).toMatchObject({ phase: 'connected', filters: ['c'], isComplete: true });
  });

  it('remembers as many filters as a parameter holds, and always those of the source', () => {
    expect(knownFilters(['a', 'b'], ['b', 'c'])).toEqual(['b', 'c', 'a']);
    const many = Array.from({ length: 200 }, (_, i) => `a/long/topic/filter/${i}`);
    const known = knownFilters(many, ['new']);
    expect(known[0]).toBe('new');
    expect(known.length).toBeGreaterThan(100);
    expect(JSON.stringify(known).length).toBeLessThan(3_501);
  });
});

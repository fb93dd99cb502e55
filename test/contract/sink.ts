import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { RetryLater, StopTask } from '../../lambdas/core/errors.ts';
import type { DeliverContext, Outcome, Sink } from '../../lambdas/deliver/sink.ts';
import { runs } from '../support/property-runs.ts';

/** What the suite needs of a sink: how to open it, how to make requests, and how to read back what was delivered. */
export interface SinkUnderTest<Request> {
  readonly name: string;
  /** Opens the sink with batches of at most two requests, so that a delivery needs many. */
  readonly open: () => Sink<Request> | Promise<Sink<Request>>;
  /** Opens the sink for a server that does not exist. */
  readonly openUnreachable: () => Sink<Request>;
  /** @param key Requests of one key have an order. */
  readonly request: (text: string, key?: string) => Request;
  /** Makes a request that the server never accepts. */
  readonly refused: (key: string) => Request;
  /** Makes a request for a target that the task names, and that does not exist. All of these have one order key. */
  readonly misdirected: () => Request;
  /** Name of that target. */
  readonly missingTarget: string;
  /** Reads the texts of all delivered requests; those of one key in the order in which they were stored. */
  readonly readBack: () => Promise<readonly string[]>;
  /**
   * Whether the server may store a request without an answer while it refuses the one beside it; the sink then sends it again.
   *
   * @default false
   */
  readonly mayRepeat?: boolean;
  /** Whether relaxed order, too, sends the next request of a key when the one before is settled. @default false */
  readonly isOneByOne?: boolean;
  /** Stops the server, and starts it again. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
}

export const minute = { remainingMs: () => 60_000 };
/** Time for one call of any sink, and too little to send a request twice. */
export const hurry = { remainingMs: () => 17_050 };
const noTime = { remainingMs: () => 0 };
const BATCH = 2;
const PATIENCE = { timeout: 60_000, interval: 200 };
const ORDERS = [undefined, 'relaxed', 'strict'] as const;

/** Tests the contract of sinks: one outcome per request, in order, and a delivered request is stored. */
export function sinkContract<Request>(sink: SinkUnderTest<Request>): void {
  const { name, open, openUnreachable, request, refused, misdirected, missingTarget, readBack, outage } = sink;
  const once = (texts: readonly string[]) => (sink.mayRepeat ? [...new Set(texts)] : texts);
  const statusesOf = (outcomes: readonly Outcome[]) => outcomes.map(({ status }) => status);
  let made = 0;
  /** Texts that no other test has. */
  const texts = (count: number) => Array.from({ length: count }, () => `text ${made++}`);

  /** Delivers with a new sink. @returns the outcomes, and the texts that were stored. */
  async function deliver(requests: readonly Request[], context: DeliverContext) {
    const before = new Set(await readBack());
    const opened = await open();
    const outcomes = await opened.deliver(requests, context);
    await opened.close();
    const arrived = (await readBack()).filter((text) => !before.has(text));
    return { outcomes, statuses: statusesOf(outcomes), arrived };
  }

  describe(`${name}: the contract of a sink`, () => {
    it('stores every request that it reports as delivered, and no other', async () => {
      const opened = await open();
      const before = await readBack();
      const sent: string[] = [];
      await fc.assert(
        fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { maxLength: 30 }), async (texts) => {
          const unique = texts.map((text) => `${made++}:${text}`);
          const outcomes = await opened.deliver(
            unique.map((text) => request(text)),
            minute,
          );
          expect(statusesOf(outcomes)).toEqual(unique.map(() => 'delivered'));
          sent.push(...unique);
        }),
        { numRuns: runs(10) },
      );
      expect([...(await readBack())].sort()).toEqual([...before, ...sent].sort());
      await opened.close();
    });

    it.each(['relaxed', 'strict'] as const)('keeps the order of each key: %s', async (order) => {
      const opened = await open();
      const keyOf = new Map<string, string>();
      await fc.assert(
        fc.asyncProperty(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 20 }), async (keys) => {
          const unique = texts(keys.length);
          for (const [i, key] of keys.entries()) keyOf.set(unique[i]!, key);
          const requests = keys.map((key, i) => request(unique[i]!, key));
          const outcomes = await opened.deliver(requests, { ...minute, order });
          expect(statusesOf(outcomes)).toEqual(keys.map(() => 'delivered'));
        }),
        { numRuns: runs(5) },
      );
      const stored = (await readBack()).filter((text) => keyOf.has(text));
      for (const key of ['a', 'b', 'c']) {
        const ofKey = (all: Iterable<string>) => [...all].filter((text) => keyOf.get(text) === key);
        expect(ofKey(stored)).toEqual(ofKey(keyOf.keys()));
      }
      await opened.close();
    });

    it.each(ORDERS)('delivers all requests but the one that the server never accepts: order %s', async (order) => {
      const good = texts(6);
      const requests = good.map((text) => request(text, 'k'));
      const { outcomes, arrived } = await deliver(requests.toSpliced(3, 0, refused('k')), { ...minute, order });
      expect(outcomes.map(({ status }) => status === 'never')).toEqual([0, 1, 2, 3, 4, 5, 6].map((i) => i === 3));
      expect(arrived).toEqual(order === undefined ? expect.arrayContaining(good) : good);
      expect(arrived).toHaveLength(good.length);
    });

    it.each(ORDERS)('stops the task for a missing target that the task names: order %s', async (order) => {
      const good = texts(8);
      const requests = good.map((text) => request(text, 'k')).toSpliced(2, 0, misdirected(), misdirected());
      const { statuses, arrived } = await deliver(requests, { ...minute, order });
      const [first, second] = statuses.splice(2, 2);
      expect(first).toBe('stop');
      const isHeldBack = order === 'strict' || (order === 'relaxed' && sink.isOneByOne);
      expect(isHeldBack ? ['stop', 'unsent'] : ['stop']).toContain(second);
      // Relaxed order sends no batch after the one that is owed; strict order holds back requests of the same key only.
      const delivered = good.filter((_, i) => statuses[i] === 'delivered');
      if (order === 'relaxed') {
        expect(delivered.length).toBeLessThanOrEqual(2 + BATCH);
        expect(delivered).toEqual(good.slice(0, delivered.length));
        expect(statuses.slice(delivered.length)).toEqual(good.slice(delivered.length).map(() => 'unsent'));
      } else expect(delivered).toEqual(good);
      expect(once(arrived).toSorted()).toEqual(delivered.toSorted());
    });

    it('makes no call without time (F16)', async () => {
      const { statuses, arrived } = await deliver([request('a'), request('b', 'k')], noTime);
      expect(statuses).toEqual(['unsent', 'unsent']);
      expect(arrived).toEqual([]);
    });

    it.each(ORDERS)('makes no further call once the time is over: order %s', async (order) => {
      const unique = texts(20);
      const requests = unique.map((text, i) => request(text, `k${i % 2}`));
      let looks = 6;
      const remainingMs = () => (looks-- > 0 ? 60_000 : 0);
      const { statuses, arrived } = await deliver(requests, { remainingMs, order });
      expect(new Set(statuses)).toEqual(new Set(['delivered', 'unsent']));
      expect(arrived.toSorted()).toEqual(unique.filter((_, i) => statuses[i] === 'delivered').toSorted());
      if (order === undefined) return;
      for (const key of [0, 1]) {
        const ofKey = statuses.filter((_, i) => i % 2 === key);
        expect(ofKey).toEqual(ofKey.toSorted());
      }
    });

    it('retries while its server is away, and delivers in order once it is back', async () => {
      const opened = await open();
      const unique = texts(8);
      const requests = unique.map((text, i) => request(text, `k${i % 2}`));
      await outage.begin();
      const owed = statusesOf(await opened.deliver(requests, { ...hurry, order: 'strict' }));
      expect(owed).toContain('retry');
      expect(owed.filter((status) => status !== 'retry')).toEqual(
        owed.filter((status) => status !== 'retry').map(() => 'unsent'),
      );
      await outage.end();
      // The sink may need more than one attempt to connect again.
      let left = requests;
      await vi.waitUntil(async () => {
        const outcomes = await opened.deliver(left, { ...minute, order: 'strict' });
        left = left.filter((_, i) => outcomes[i]!.status !== 'delivered');
        return left.length === 0;
      }, PATIENCE);
      const stored = [...new Set(await readBack())].filter((text) => unique.includes(text));
      for (const key of [0, 1]) {
        const ofKey = (all: readonly string[]) => all.filter((text) => unique.indexOf(text) % 2 === key);
        expect(ofKey(stored)).toEqual(ofKey(unique));
      }
      await opened.close();
    });

    it('retries every request when its server is away', async () => {
      const opened = openUnreachable();
      const outcomes = await opened.deliver(
        ['a', 'b', 'c'].map((text) => request(text, text)),
        hurry,
      );
      expect(statusesOf(outcomes)).toEqual(['retry', 'retry', 'retry']);
      await opened.close();
    });

    it('has an outcome for each request when it is closed during a delivery', async () => {
      const opened = await open();
      const unique = texts(200);
      const delivering = opened.deliver(
        unique.map((text) => request(text)),
        hurry,
      );
      await turn();
      await opened.close();
      const statuses = statusesOf(await delivering);
      const found = new Set(await readBack());
      expect(statuses).toHaveLength(unique.length);
      for (const [i, status] of statuses.entries()) {
        expect(['delivered', 'retry', 'unsent']).toContain(status);
        if (status === 'delivered') expect(found).toContain(unique[i]);
      }
    });

    it('tests whether its target can be used, and stores nothing', async () => {
      const opened = await open();
      const before = await readBack();
      expect(await opened.testConnectivity()).toMatch(/\w/);
      await expect(opened.testConnectivity([missingTarget])).rejects.toBeInstanceOf(StopTask);
      expect(await readBack()).toEqual(before);
      await opened.close();
      const away = openUnreachable();
      await expect(away.testConnectivity()).rejects.toBeInstanceOf(RetryLater);
      await away.close();
    });
  });
}

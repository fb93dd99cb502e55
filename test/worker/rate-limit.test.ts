import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetryLater } from '../../lambdas/core/errors.ts';
import type { Outcome, Sink } from '../../lambdas/deliver/sink.ts';
import { rateLimited } from '../../lambdas/worker/rate-limit.ts';

/** A clock that moves when somebody sleeps, and the moments at which records were sent. */
function timed(recordsPerSecond: number, outcomeOf: (request: number) => Outcome = () => ({ status: 'delivered' })) {
  let now = 0;
  const sentAt: number[] = [];
  const sink: Sink<number> = {
    async deliver(requests): Promise<Outcome[]> {
      sentAt.push(...requests.map(() => now));
      return requests.map(outcomeOf);
    },
    testConnectivity: async () => 'yes',
    close() {},
  };
  const clock = {
    now: () => now,
    async sleep(ms: number) {
      now += ms;
    },
  };
  return { sink: rateLimited(sink, recordsPerSecond, clock), sentAt, clock };
}

/** The number of records in the fullest second; `sentAt` ascends. */
function mostWithinASecond(sentAt: readonly number[]): number {
  let most = 0;
  let next = 0;
  sentAt.forEach((at, first) => {
    while (next < sentAt.length && sentAt[next]! - at <= 1000) next++;
    most = Math.max(most, next - first);
  });
  return most;
}

describe('a rate limit', () => {
  it('never gives the sink more than a second’s worth within any second, beyond the first burst', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0.2, max: 500, noNaN: true }),
        fc.array(fc.record({ count: fc.integer({ min: 0, max: 300 }), pauseMs: fc.nat(3_000) }), { maxLength: 8 }),
        async (rate, batches) => {
          const { sink, sentAt, clock } = timed(rate);
          for (const { count, pauseMs } of batches) {
            await clock.sleep(pauseMs);
            const outcomes = await sink.deliver(
              Array.from({ length: count }, (_, i) => i),
              { remainingMs: () => Infinity },
            );
            expect(outcomes).toHaveLength(count);
            expect(outcomes.filter(({ status }) => status !== 'delivered')).toEqual([]);
          }
          expect(mostWithinASecond(sentAt)).toBeLessThanOrEqual(2 * Math.max(1, rate) + 1);
          const most = Math.max(1, rate) + (rate * clock.now()) / 1000 + 1;
          expect(sentAt.length).toBeLessThanOrEqual(most);
        },
      ),
    );
  });

  it('leaves records unsent for which the deadline leaves no time', async () => {
    const { sink, clock } = timed(10);
    const outcomes = await sink.deliver(
      Array.from({ length: 100 }, (_, i) => i),
      { remainingMs: () => 3_000 - clock.now() },
    );
    const delivered = outcomes.filter(({ status }) => status === 'delivered').length;
    expect(delivered).toBeGreaterThanOrEqual(30);
    expect(delivered).toBeLessThanOrEqual(40);
    expect(outcomes.slice(delivered).every(({ status }) => status === 'unsent')).toBe(true);
    expect(outcomes).toHaveLength(100);
  });

  it.each(['relaxed', 'strict', undefined] as const)(
    'with order %s, sends nothing behind an owed record only if there is an order',
    async (order) => {
      const { sink, sentAt } = timed(10, (request) =>
        request === 12 ? { status: 'retry', error: new RetryLater('busy') } : { status: 'delivered' },
      );
      const requests = Array.from({ length: 100 }, (_, i) => i);
      const outcomes = await sink.deliver(requests, { order, remainingMs: () => 60_000 });
      expect(outcomes).toHaveLength(100);
      expect(outcomes.filter(({ status }) => status === 'unsent')).toHaveLength(100 - sentAt.length);
      if (order === undefined) expect(sentAt).toHaveLength(100);
      else expect(sentAt.length).toBeLessThan(20);
    },
  );
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { concurrencyLimit } from '../../lambdas/net/concurrency-limit.ts';

it('a concurrency limit runs everything, at most the limit at a time, and goes on after failures', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.boolean()),
      async (s, limit, fails) => {
        const limited = concurrencyLimit(limit);
        let running = 0;
        let most = 0;
        const all = Promise.allSettled(
          fails.map((fail, i) =>
            limited(async () => {
              most = Math.max(most, ++running);
              await s.schedule(Promise.resolve());
              running--;
              if (fail) throw new Error(`${i}`);
              return i;
            }),
          ),
        );
        await s.waitFor(all);
        expect((await all).map(({ status }) => status)).toEqual(fails.map((fail) => (fail ? 'rejected' : 'fulfilled')));
        expect(most).toBe(Math.min(limit, fails.length));
      },
    ),
  );
});

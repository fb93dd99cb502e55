import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openLane } from '../../../../lambdas/deliver/rocketmq/remoting/lane.ts';

it('a lane runs everything, no more at once than it is wide, and goes on after failures', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.boolean()),
      async (s, width, fails) => {
        const lane = openLane(width);
        let running = 0;
        let most = 0;
        const all = Promise.allSettled(
          fails.map((fail, i) =>
            lane(async () => {
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
        expect(most).toBe(Math.min(width, fails.length));
      },
    ),
  );
});

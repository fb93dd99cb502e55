import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetryLater } from '../../lambdas/core/errors.ts';
import type { Outcome, Sink } from '../../lambdas/deliver/sink.ts';
import { runs } from '../support/property-runs.ts';

/** What the suite needs of a sink: how to make requests, and how to read back what was delivered. */
export interface SinkUnderTest<Request> {
  readonly name: string;
  readonly open: () => Sink<Request> | Promise<Sink<Request>>;
  readonly request: (text: string) => Request;
  /** Texts of all that was delivered so far, in any order. */
  readonly readBack: () => Promise<readonly string[]>;
  /** A sink whose server is not there. */
  readonly openUnreachable: () => Sink<Request>;
}

export const minute = { remainingMs: () => 60_000 };
/** Time for one call of any sink, and too little to send anything twice. */
export const hurry = { remainingMs: () => 17_050 };
const noTime = { remainingMs: () => 0 };

/** The contract of every sink: one outcome per request, in order, and "delivered" means delivered. */
export function sinkContract<Request>({
  name,
  open,
  request,
  readBack,
  openUnreachable,
}: SinkUnderTest<Request>): void {
  describe(`${name}: the contract of a sink`, () => {
    it('delivers what it says it delivered', async () => {
      const sink = await open();
      const sent: string[] = [];
      await fc.assert(
        fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { maxLength: 30 }), async (texts) => {
          const unique = texts.map((text, i) => `${sent.length + i}:${text}`);
          const outcomes = await sink.deliver(unique.map(request), minute);
          expect(outcomes.map(({ status }) => status)).toEqual(unique.map(() => 'delivered'));
          sent.push(...unique);
        }),
        { numRuns: runs(10) },
      );
      expect([...(await readBack())].sort()).toEqual([...sent].sort());
      await sink.close();
    });

    it('starts nothing that it has no time for, and says so (F16)', async () => {
      const sink = await open();
      const before = await readBack();
      const outcomes = await sink.deliver(['a', 'b'].map(request), noTime);
      expect(outcomes.map(({ status }) => status)).toEqual(['unsent', 'unsent']);
      expect(await readBack()).toEqual(before);
      await sink.close();
    });

    it('finds out whether its target can be used, and why not', async () => {
      const sink = await open();
      expect(await sink.testConnectivity()).toMatch(/\w/);
      await sink.close();
      const away = openUnreachable();
      await expect(away.testConnectivity()).rejects.toBeInstanceOf(RetryLater);
      await away.close();
    });

    it('answers one retry per request when its server is away', async () => {
      const sink = openUnreachable();
      const outcomes: readonly Outcome[] = await sink.deliver(['a', 'b', 'c'].map(request), hurry);
      expect(outcomes.map(({ status }) => status)).toEqual(['retry', 'retry', 'retry']);
      await sink.close();
    });
  });
}

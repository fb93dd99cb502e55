import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addTo, type Batching, formBatches } from '../../lambdas/deliver/batching.ts';

interface Request {
  readonly target: string;
  readonly bytes: number;
}

const batching: Batching<Request> = {
  target: ({ target }) => target,
  bytes: ({ bytes }) => bytes,
  maxRequests: 5,
  maxBytes: 1_000,
  isAtomic: false,
};
const request = fc.record({
  target: fc.constantFrom('a', 'b'),
  bytes: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 400 }) }, fc.constantFrom(1_001, Infinity)),
});

describe('batches (F08)', () => {
  it('hold every request once, within the limits, those of a target in their order', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
        const batches = formBatches(requests, requests.keys(), batching);
        for (const { target, indices, bytes } of batches) {
          expect(bytes).toBe(indices.reduce((sum, i) => sum + requests[i]!.bytes, 0));
          expect(indices.length).toBeLessThanOrEqual(batching.maxRequests);
          if (indices.length > 1) expect(bytes).toBeLessThanOrEqual(batching.maxBytes);
          expect(indices.every((i) => requests[i]!.target === target)).toBe(true);
        }
        for (const target of ['a', 'b']) {
          const all = batches.filter((batch) => batch.target === target).flatMap(({ indices }) => indices);
          expect(all).toEqual([...requests.keys()].filter((i) => requests[i]!.target === target));
        }
      }),
    );
  });

  it('are as few as their limits allow in this order', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
        const batches = formBatches(requests, requests.keys(), batching);
        for (const [n, { target, indices }] of batches.entries()) {
          const before = batches.slice(0, n).findLast((batch) => batch.target === target);
          if (before !== undefined) expect(addTo({ ...before }, indices[0]!, requests, batching)).toBe(false);
        }
      }),
    );
  });
});

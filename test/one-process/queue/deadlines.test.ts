import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Deadline, Deadlines } from '../../../localstack/one-process/queue/deadlines.ts';
import { runs } from '../../support/property-runs.ts';

it('returns the remaining items in order of time, then of adding, whatever is removed in between', () => {
  const step = fc.record({ at: fc.nat(20), remove: fc.option(fc.nat(), { freq: 2 }) });
  const property = fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
    const deadlines = new Deadlines<number>();
    let left: Deadline<number>[] = [];
    for (const [item, { at, remove }] of steps.entries()) {
      left.push(deadlines.add(at, item));
      const removed = remove === null ? undefined : left[remove % left.length];
      if (removed) deadlines.remove(removed);
      left = left.filter((deadline) => deadline !== removed);
    }
    const expected = left.toSorted((a, b) => a.at - b.at || a.item - b.item).map(({ item }) => item);
    expect(deadlines.inOrder()).toEqual(expected);
    const taken: number[] = [];
    for (let next = deadlines.next; next; next = deadlines.next) {
      taken.push(next.item);
      deadlines.remove(next);
    }
    expect(taken).toEqual(expected);
  });
  fc.assert(property, { numRuns: runs(500) });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InvalidPatternError } from '../../../lambdas/core/errors.ts';
import { compilePattern } from '../../../lambdas/core/pattern/pattern.ts';
import { runs } from '../../support/property-runs.ts';
import { matchesByTrial } from './reference.ts';

const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'length');
const leaf = fc.constantFrom<unknown>(1, 2, 'x', 'xy', true, null, '10.0.0.1');
const operator = fc.constantFrom<unknown>(
  { exists: true },
  { exists: false },
  { prefix: 'x' },
  { suffix: { 'equals-ignore-case': 'Y' } },
  { 'anything-but': [1, 2] },
  { numeric: ['>', 1] },
  { wildcard: '*x*' },
  { cidr: '10.0.0.0/8' },
  { contains: 'y' },
);
const list = fc.array(fc.oneof(leaf, operator), { minLength: 1, maxLength: 3 });

const { pattern, event } = fc.letrec<{ pattern: object; event: object; value: unknown }>((tie) => ({
  pattern: fc.dictionary(key, fc.oneof({ maxDepth: 3 }, list, tie('pattern')), { minKeys: 1, maxKeys: 3 }),
  event: fc.dictionary(key, tie('value'), { maxKeys: 3 }),
  value: fc.oneof({ maxDepth: 5, withCrossShrink: true }, leaf, tie('event'), fc.array(tie('value'), { maxLength: 3 })),
}));

test('what matches is what a trial of every choice of leaves finds', () => {
  fc.assert(
    fc.property(pattern, event, (p, e) => {
      expect(compilePattern(p).matches(e)).toBe(matchesByTrial(p, e));
    }),
    { numRuns: runs(2_000) },
  );
});

test('an event, its text and its bytes get the same verdict', () => {
  fc.assert(
    fc.property(pattern, event, (p, e) => {
      const compiled = compilePattern(JSON.stringify(p));
      const text = JSON.stringify(e);
      const verdict = compiled.matches(JSON.parse(text));
      expect(compiled.matchesJson(text)).toBe(verdict);
      expect(compiled.matchesJson(new TextEncoder().encode(text))).toBe(verdict);
    }),
  );
});

test('an event that is an object never throws, another always does', () => {
  fc.assert(
    fc.property(pattern, fc.jsonValue(), (p, e) => {
      const run = (): boolean => compilePattern(p).matches(e);
      if (typeof e === 'object' && e !== null && !Array.isArray(e)) expect(run()).toBeTypeOf('boolean');
      else expect(run).toThrow(TypeError);
    }),
  );
});

function compiles(given: object | string): void {
  try {
    compilePattern(given);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidPatternError);
  }
}

test('a pattern compiles or is an InvalidPatternError, whatever it is', () => {
  const cut = fc.tuple(pattern, fc.nat()).map(([p, at]) => JSON.stringify(p).slice(0, at % 60));
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json(), cut), compiles));
  fc.assert(fc.property(fc.oneof(fc.object(), fc.dictionary(key, fc.array(fc.anything()))), compiles));
});

test('a text and the object it stands for compile alike', () => {
  fc.assert(
    fc.property(pattern, event, (p, e) => {
      expect(compilePattern(JSON.stringify(p)).matches(e)).toBe(compilePattern(p).matches(e));
    }),
  );
});

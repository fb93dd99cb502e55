import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { compileIotSql } from '../../lambdas/core/sql/aws/engine.ts';
import { matchesTopicFilter } from '../../lambdas/core/topic-filter.ts';
import { fromClauses, withoutCovered } from '../../lib/source/overlap.ts';

/** AWS's documents do not agree on whether `a/#` matches `a`. */
const READINGS = ['a/# matches a', 'a/# does not match a'] as const;
type Reading = (typeof READINGS)[number];

function matches(filter: string, topic: string, reading: Reading): boolean {
  const isParent = filter.endsWith('#') && topic.split('/').length < filter.split('/').length;
  return matchesTopicFilter(filter, topic) && (reading === 'a/# matches a' || !isParent);
}

/** The filters whose rules fire for a topic. */
function firedFor(filters: readonly string[], topic: string, reading: Reading): string[] {
  const kept = withoutCovered(filters);
  return fromClauses(kept, 'filters').flatMap(({ from }, i) => {
    const fires = compileIotSql(`SELECT 1 AS a ${from}`).evaluate({ topic, payload: Buffer.of() }) !== undefined;
    return fires && matches(kept[i]!, topic, reading) ? [kept[i]!] : [];
  });
}

const conditionOf = (filters: readonly string[], filter: string) =>
  fromClauses(filters, 'filters')[filters.indexOf(filter)]!.from.replace(/^FROM '[^']*'( WHERE )?/, '');

describe.each(READINGS)('overlapping topic filters, if %s', (reading) => {
  const level = fc.constantFrom('a', 'b', '+', '', 'x.y', '$s', '(z)', '}', 'é');
  const filter = fc
    .tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([levels, isDeep]) => [...levels, ...(isDeep ? ['#'] : [])].join('/'));
  const LINE_ENDS = ['\n', '\r', '\r\n', '\u0085', '\u2028', '\u2029'];
  const text = fc.constantFrom('a', 'b', '', 'x.y', 'xzy', '$s', '(z)', '}', 'é', 'n', ...LINE_ENDS);
  const topic = fc
    .array(
      fc.tuple(text, fc.constantFrom('', '', ...LINE_ENDS)).map((parts) => parts.join('')),
      {
        minLength: 1,
        maxLength: 5,
      },
    )
    .map((levels) => levels.join('/'));

  it('fire one rule for each message', () => {
    fc.assert(
      fc.property(fc.array(filter, { minLength: 1, maxLength: 5 }), topic, (filters, published) => {
        const isMatched = filters.some((each) => matches(each, published, reading));
        const fired = firedFor(filters, published, reading);
        expect([filters, published, fired.length]).toEqual([filters, published, isMatched ? 1 : 0]);
      }),
      {
        examples: [
          [['a/#', '+/b/#'], 'a/b/n\nl'],
          [['+/b', 'a/#'], 'a/b\n'],
          [['+/b/#', 'a/#'], 'a/b'],
          [['a/+/#', '+/b/#'], 'a/b'],
          [['t', 't/#'], 't'],
          [['t/#', 't'], 't'],
          [['+', 'a/#'], 'a'],
          [['+/#', '+'], '$s'],
        ],
        numRuns: 2_000,
      },
    );
  });
});

describe('the conditions of overlapping topic filters', () => {
  it("keep both of t and t/#, and the wider one excludes the other's topic", () => {
    expect(withoutCovered(['t', 't/#'])).toEqual(['t', 't/#']);
    expect(withoutCovered(['t/u', 't/#', 't/#', 't/+'])).toEqual(['t/#']);
    for (const filters of [
      ['t', 't/#'],
      ['t/#', 't'],
    ]) {
      expect(conditionOf(filters, 't')).toBe('');
      expect(conditionOf(filters, 't/#')).toBe("topic() <> 't'");
    }
  });

  it('do not depend on how an engine matches line ends, quotes or backslashes', () => {
    const filters = ['a/#', '+/b/#', '+/+/c', 'a/+/+', 'b/+/#', '+/x.y/+/#', '+/#'];
    const expressions = fromClauses(filters, 'filters').flatMap(({ from }) =>
      [...from.matchAll(/regexp_matches\(topic\(\), '([^']*)'\)/g)].map(([, expression]) => expression!),
    );
    expect(expressions.length).toBeGreaterThan(5);
    for (const expression of expressions)
      expect(expression.replace(/\[[^\]]*\]/g, ''), expression).not.toMatch(/[.$\\"]/);
  });

  it('are refused for a filter that no such expression excludes, and only for that', () => {
    expect(() => fromClauses(['a^/+', '+/b'], 'filters')).toThrow(InvalidOptionError);
    expect(conditionOf(['a^[/#', '+/b'], 'a^[/#')).toMatch(/^\(NOT regexp_matches/);
    expect(conditionOf(['a^[/b', '+/b/#'], '+/b/#')).toBe("topic() <> 'a^[/b'");
  });
});

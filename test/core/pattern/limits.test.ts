import { describe, expect, test } from 'vitest';
import { InvalidPatternError } from '../../../lambdas/core/errors.ts';
import { ExactNumber } from '../../../lambdas/core/json.ts';
import { compilePattern } from '../../../lambdas/core/pattern/pattern.ts';

describe('completes on hostile input', () => {
  test('many stars against a long text', () => {
    const pattern = compilePattern({ a: [{ wildcard: `${'*a'.repeat(500)}*b` }] });
    expect(pattern.matches({ a: 'a'.repeat(128 * 1024) })).toBe(false);
    expect(pattern.matches({ a: `${'a'.repeat(128 * 1024)}b` })).toBe(true);
  });

  test('fields of the same element in a long array', () => {
    const items = Array.from({ length: 100_000 }, (_, i) => ({ id: i, even: i % 2 === 0, tags: [`t${i}`] }));
    const last = { items: { id: [99_999], even: [false], tags: [{ suffix: '9' }], error: [{ exists: false }] } };
    expect(compilePattern(last).matches({ items })).toBe(true);
    expect(compilePattern({ items: { ...last.items, even: [true] } }).matches({ items })).toBe(false);
  });

  test('arrays in arrays, deeper than the stack', () => {
    let nested: unknown = 'x';
    for (let i = 0; i < 60_000; i++) nested = [nested];
    expect(compilePattern({ a: ['x'] }).matches({ a: nested })).toBe(true);
    expect(compilePattern({ a: { b: [{ exists: false }] } }).matches({ a: nested })).toBe(true);
    expect(() => compilePattern({ a: ['x'] }).matchesJson(`{"a":${'['.repeat(60_000)}${']'.repeat(60_000)}}`)).toThrow(
      SyntaxError,
    );
  });

  test('fields that are absent or not in every combination', () => {
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const optional = Object.fromEntries(keys.map((key) => [key, ['x', { exists: false }]]));
    const pattern = compilePattern({ items: { id: [1], ...optional } });
    const items = Array.from({ length: 2_000 }, (_, n) =>
      Object.fromEntries([
        ['id', n],
        [`k${n % 20}`, 'y'],
      ]),
    );
    expect(pattern.matches({ items })).toBe(false);
    expect(pattern.matches({ items: [...items, { id: 1 }] })).toBe(true);
  });

  test.each(['{"a":'.repeat(100_000), `{"a":${'['.repeat(100_000)}`, `{"a":["${'\\\\'.repeat(100_000)}`])(
    'pattern text %#',
    (text) => expect(() => compilePattern(text)).toThrow(InvalidPatternError),
  );

  test('a pattern object that contains itself', () => {
    const pattern: Record<string, unknown> = {};
    pattern['a'] = pattern;
    expect(() => compilePattern(pattern)).toThrow(/nests deeper than 500 levels/);
  });

  test('alternatives that multiply', () => {
    const or = (i: number): object => ({ $or: [{ [`a${i}`]: [1] }, { [`b${i}`]: [1] }] });
    const levels = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, or(i)]));
    expect(() => compilePattern(levels(9))).not.toThrow();
    expect(() => compilePattern(levels(30))).toThrow('too many alternatives; expected at most 1000');
  });
});

describe('names what is wrong', () => {
  test.each([
    ['{"detail":{"temp":[{"numeric":[">","x"]}]}}', `detail.temp: numeric: got [">","x"]; expected an operator before`],
    ['{"a":{"b.c":["x",["y"]]}}', `a."b.c": got ["y"]; expected a string, a number,`],
    ['{"a":[{"prefx":"x"}]}', `a: got 'prefx'; expected one of exactly, prefix,`],
    ['{"a":[{"anything-but":{"prefix":""}}]}', `a: anything-but: prefix: got ''; expected at least one character`],
    ['{"d":{"$or":[{"a":["x"]}]}}', `d: $or: got [{"a":["x"]}]; expected a list of at least two objects`],
    ['{"a":["x"', `position 9: got the end of the text; expected "," or "]"`],
    ['{"a":[01]}', `position 7: got '1]}'; expected "," or "]"`],
  ])('%s', (text, message) => expect(() => compilePattern(text)).toThrow(message));
});

test('numbers keep what a double would lose', () => {
  const pattern = compilePattern('{"a":[12345678901234567890, 0.5]}');
  expect(pattern.matches({ a: new ExactNumber('12345678901234567890') })).toBe(true);
  expect(pattern.matches({ a: new ExactNumber('12345678901234567891') })).toBe(false);
  expect(pattern.matches({ a: new ExactNumber('5.0e-1') })).toBe(true);
  expect(compilePattern({ a: { value: [{ exists: false }] } }).matches({ a: new ExactNumber('5.0') })).toBe(true);
});

test('lists the parts of an event that it reads', () => {
  const pattern = compilePattern({ topic: ['t'], $or: [{ data: { body: { t: [1] } } }, { data: { n: [2] } }] });
  expect(pattern.readsPath(['data', 'body'])).toBe(true);
  expect(pattern.readsPath(['data'])).toBe(true);
  expect(pattern.readsPath([])).toBe(true);
  expect(pattern.readsPath(['data', 'body', 'u'])).toBe(false);
  expect(pattern.readsPath(['topic', 't'])).toBe(false);
});

test.each(['', '{', '{"a":1}}', '[]', 'null', '5'])('the event text %j throws', (text) => {
  expect(() => compilePattern({ a: [1] }).matchesJson(text)).toThrow();
});

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InvalidPatternError } from '../../../lambdas/core/errors.ts';
import { compilePattern } from '../../../lambdas/core/pattern/pattern.ts';

// In docs/event-patterns.md a block that is marked "json pattern" holds for the "json match" and "json no-match"
// blocks after it, each of which may have several events, one a line; "json rejected" blocks are mistakes.
const text = readFileSync(new URL('../../../docs/event-patterns.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/^```(\S+) ?(.*)\n([\s\S]*?)^```$/gm)].map(([, language, kind = '', body = '']) => ({
  language,
  kind,
  body,
  line: text.slice(0, text.indexOf(body)).split('\n').length,
}));

test('every JSON block is an example', () => {
  const kinds = blocks.filter(({ language }) => language === 'json').map(({ kind }) => kind);
  expect(new Set(kinds)).toEqual(new Set(['pattern', 'match', 'no-match', 'rejected']));
});

let pattern = '';
for (const { kind, body, line } of blocks) {
  if (kind === 'pattern') pattern = body;
  const given = pattern;
  if (kind === 'rejected') {
    test(`line ${line} is rejected`, () => expect(() => compilePattern(body)).toThrow(InvalidPatternError));
  } else if (kind === 'match' || kind === 'no-match') {
    test.each(body.trim().split('\n'))(`line ${line}: %s is a ${kind}`, (event) => {
      expect(compilePattern(given).matchesJson(event)).toBe(kind === 'match');
    });
  }
}

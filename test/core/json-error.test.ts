import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../lambdas/core/json.ts';
import { jsonErrorText } from '../../lambdas/core/json-error.ts';
import { runs } from '../support/property-runs.ts';

const position = (text: string) => Number(/ (?:position|after) (\d+)/.exec(jsonErrorText(text))![1]);
const isJson = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe('why text is not JSON', () => {
  it('is given for text that JSON.parse refuses, and for no other', () => {
    const scraps = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '\\',
      '\\u00e',
      'a',
      'tru',
      'e',
      '-',
      '0',
      '1',
      '.',
      ' ',
    );
    const nearly = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', 'x', '"', ',', '}', '\u0001'))
      .map(([json, at, bit]) => {
        const i = at % (json.length + 1);
        return json.slice(0, i) + bit + json.slice(i + 1);
      });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          nearly,
          fc.array(scraps).map((all) => all.join('')),
          fc.string(),
        ),
        (text) => {
          // What is JSON, and not too deep, has no problem to be found.
          expect([text, jsonErrorText(text).startsWith('it nests')]).toEqual([text, isJson(text)]);
        },
      ),
      { numRuns: runs(1_000) },
    );
  });

  it('has the position of the first character that cannot be there', () => {
    const plain = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom('"abc"', '""', '" "'),
        fc.array(tie('value'), { maxLength: 3 }).map((all) => `[ ${all.join(', ')} ]`),
        fc.array(tie('value'), { maxLength: 3 }).map((all) => `{${all.map((one) => `"k":${one}`).join(',')}}`),
      ),
    })).value;
    fc.assert(
      fc.property(plain, fc.nat(), (json, n) => {
        const at = n % json.length;
        expect(position(`${json.slice(0, at)}\u0001${json.slice(at)}`)).toBe(at);
        expect(jsonErrorText(json.slice(0, at))).toBe(`it ends unfinished, after ${at} characters`);
      }),
    );
  });

  it.each([
    ['{"a":secret}', 'unexpected letter at position 5'],
    ["{'a':1}", 'unexpected quote at position 1'],
    ['[1,]', 'unexpected punctuation mark at position 3'],
    ['"\\x"', 'unexpected punctuation mark at position 1'],
    ['{"a":falze}', 'unexpected letter at position 8'],
    ['[01]', 'unexpected digit at position 2'],
    ['"a\nb"', 'unexpected control character at position 2'],
    ['\u{1F600}', 'unexpected character outside ASCII at position 0'],
    ['', 'it ends unfinished, after 0 characters'],
    ['\uFEFF{"a":1}', 'it begins with a byte order mark (BOM)'],
  ])('%j: %s', (text, problem) => expect(jsonErrorText(text)).toBe(problem));

  it('is given for text that only parseJson refuses', () => {
    const deep = `${'['.repeat(1_001)}${']'.repeat(1_001)}`;
    expect(() => parseJson(deep)).toThrow(SyntaxError);
    expect(jsonErrorText(deep)).toBe('it nests deeper than 1000 levels');
  });
});

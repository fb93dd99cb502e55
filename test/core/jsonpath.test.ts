import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidTemplateError } from '../../lambdas/core/errors.ts';
import { ExactNumber, parseJson, stringifyJson } from '../../lambdas/core/json.ts';
import { compileExpression, isJsonPath } from '../../lambdas/core/jsonpath/expression.ts';
import { compileJsonPath, isPlainPath } from '../../lambdas/core/jsonpath/jsonpath.ts';
import { compileQuery } from '../../lambdas/core/jsonpath/query.ts';
import '../../lambdas/core/jsonpath/every-path.ts';

const event = parseJson(
  '{"data":{"body":{"n":1e400,"list":[{"t":21.50,"id":"a"},{"t":5,"id":"b"}],"text":"x","none":null},"limit":20.0}}',
) as object;
const read = (path: string) => {
  const found = compileJsonPath(path).read(event);
  return stringifyJson(found === undefined ? 'nothing' : found);
};

describe('JSONPath', () => {
  it.each([
    ['$.data.body.text', '"x"'],
    ["$['data']['body']['n']", '1e400'],
    ['$.data.body.list[-1].id', '"b"'],
    ['$.data.body.list[2].id', '"nothing"'],
    ['$.data.body.none', 'null'],
    ['$.data.body.n.text', '"nothing"'],
    ['$.data.body.list[*].t', '[21.50,5]'],
    ['$.data.body.list[?@.t > 20].id', '["a"]'],
    ['$.data.body.list[?@.t > $.data.limit].id', '["a"]'],
    ['$..t', '[21.50,5]'],
    ['$..text', '["x"]'],
    ['$.data.body.list[?@.t > 100]', '"nothing"'],
  ])('%s finds %s', (path, wanted) => expect(read(path)).toBe(wanted));

  it('finds any value at its path, whatever the names in the path', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 5 }), fc.jsonValue(), (names, value) => {
        const root = names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
        const path = `$${names.map((name) => `[${JSON.stringify(name)}]`).join('')}`;
        expect(compileJsonPath(path).read(parseJson(JSON.stringify(root)) as object)).toEqual(
          parseJson(JSON.stringify(value)),
        );
      }),
    );
  });

  it('reads a plain path as the library does', () => {
    const name = fc.constantFrom('data', 'list', '_x1', 'length', '0');
    const segment = fc.oneof(
      name.filter((text) => text !== '0').map((text) => `.${text}`),
      name.map((text) => `['${text}']`),
      name.map((text) => `["${text}"]`),
      fc.integer({ min: -3, max: 3 }).map((index) => `[${index}]`),
    );
    const value = fc.letrec((tie) => ({
      value: fc.oneof(fc.constantFrom(1, 'text', null), fc.array(tie('value')), fc.dictionary(name, tie('value'))),
    })).value;
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 4 }), value, (segments, root) => {
        const path = `$${segments.join('')}`;
        expect(isPlainPath(path)).toBe(true);
        expect(compileJsonPath(path).read(root as object)).toEqual(compileQuery(path).read(root as object));
      }),
    );
  });

  it.each([
    '$.a[01]',
    '$.a[-0]',
    '$.a.1b',
    "$['a\\'b']",
    '$..a',
    '$[*]',
    '$.a b',
    "$['a', 'b']",
    '$.ä',
    '$[1:2]',
    ' $.a',
  ])('leaves %s to the library', (path) => expect(isPlainPath(path)).toBe(false));

  it('finds neither inherited properties nor digits of a number', () => {
    for (const path of ['$.constructor', '$.data.toString', '$.data.body.text.length', '$.data.body.list.length'])
      expect(read(path)).toBe('"nothing"');
    expect(compileJsonPath('$.data.body.n').read(event)).toBeInstanceOf(ExactNumber);
  });

  it.each([
    '$.',
    '$.a[',
    '$[?@.a ==]',
    '$.a b',
    // A pattern that the payload gives, that is not valid, or that may take exponential time.
    '$[?match(@.a, @.p)]',
    '$[?search(@.a, $.p)]',
    '$[?!(@.b && match(@.a, value(@..p)))]',
    "$[?match(@.a, '(')]",
    "$[?search(@.a, '(a+)+b')]",
    "$[?search(@.a, '((a|aa)b)*c')]",
  ])('refuses %s when it is compiled', (path) => expect(() => compileJsonPath(path)).toThrow(InvalidTemplateError));
});

describe('a JSONPath with a filter', () => {
  const found = (path: string, value: unknown) =>
    compileJsonPath(path).read(parseJson(JSON.stringify(value)) as object);

  it.each([
    ["$[?match(@.a, 'a.*')].a", ['ab']],
    ["$[?search(@.a, '(b|c)?d$')].a", ['cd']],
    ["$[?search(@.a, '[(+]\\\\(+')]", undefined],
    ['$[?length(@.list) > 1].a', ['cd']],
    ['$[?count(@.list[*]) == 2].a', ['cd']],
    ['$[?@.list == $[1].list].a', ['cd']],
    ['$[?@.list[?@.x > 1]].a', ['cd']],
    ['$[?!@.list].a', ['ab', 7]],
  ])('%s finds %j', (path, wanted) => {
    const list = [{ x: 1 }, { x: 2 }];
    expect(found(path, [{ a: 'ab' }, { a: 'cd', list }, { a: 7 }])).toEqual(wanted);
  });

  it('compares numbers by their value, whatever their text', () => {
    const root = parseJson('[{"n":5.0,"in":[1.0]},{"n":5,"in":[1]},{"n":6}]') as object;
    expect(compileJsonPath('$[?@.n == 5].n').read(root)).toHaveLength(2);
    expect(compileJsonPath('$[?@.in == $[1].in].n').read(root)).toHaveLength(2);
  });
});

describe('an option that is a template or a JSONPath', () => {
  it.each([
    ['$', true],
    ['$.data', true],
    ["$['data']", true],
    ['${data}', false],
    ['$5', false],
    ['a $.b', false],
    ['', false],
  ])('%s: JSONPath is %s', (text, wanted) => expect(isJsonPath(text)).toBe(wanted));

  it('reads the event by a JSONPath, the rule output by a template', () => {
    const of = (text: string) => compileExpression(text, 'fail').text({ data: 'scope' }, { data: 'event' });
    expect([of('$.data'), of('${data}'), of('$.missing')]).toEqual(['event', 'scope', undefined]);
  });

  it('makes bytes of a text unchanged, and of other values as JSON', () => {
    const of = (text: string) => `${Buffer.from(compileExpression(text, 'fail').bytes({}, event))}`;
    expect([of('$.data.body.text'), of('$.data.body.none'), of('$.data.body.list[0]')]).toEqual([
      'x',
      'null',
      '{"t":21.50,"id":"a"}',
    ]);
    expect(() => of('$.data.missing')).toThrow(expect.objectContaining({ code: 'TEMPLATE_VARIABLE_MISSING' }));
  });
});

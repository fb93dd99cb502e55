import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidTemplateError, NeverRetry } from '../../lambdas/core/errors.ts';
import { parseJson } from '../../lambdas/core/json.ts';
import { MqttRecord } from '../../lambdas/core/record.ts';
import { toRuleOutput } from '../../lambdas/core/rule-output.ts';
import type { MissingVariable } from '../../lambdas/core/template/template.ts';
import { compileTemplate } from '../../lambdas/core/template/template.ts';
import { envelope } from '../support/messages.ts';

interface Case {
  name: string;
  kind: string;
  mode: string;
  template: string;
  scope: object;
  expected: string;
  compareAs?: 'json';
}

const MISSING: Record<string, MissingVariable> = { text: 'undefined', old: 'undefined', mqtt: 'empty' };
const cases = readFileSync('test/cases/emqx-sql/visible.jsonl', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case)
  .filter(({ kind, mode }) => kind === 'template' && mode in MISSING); // modes sql and prep quote into SQL statements: no sink has any

describe('templates as EMQX renders them', () => {
  it.each(cases)('$name', ({ mode, template, scope, expected, compareAs }) => {
    const text = compileTemplate(template, { missingVariable: MISSING[mode]! }).renderText(scope);
    if (compareAs === 'json') expect(JSON.parse(text)).toEqual(JSON.parse(expected));
    else expect(text).toBe(expected);
  });
});

const scopeOf = (payload: string | Uint8Array, over = {}) =>
  toRuleOutput(new MqttRecord(envelope(payload, over)), { type: 'iot-core', dataFormat: 'json', defaults: {} });

describe('templates', () => {
  const codeOf = (run: () => unknown) => {
    try {
      run();
    } catch (error) {
      return error instanceof NeverRetry ? error.code : error;
    }
    return 'rendered';
  };

  it('forwards the payload’s own bytes, whatever they are (E26)', () => {
    const render = compileTemplate('${payload}').render;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => Buffer.from(render(scopeOf(bytes))).equals(bytes)),
    );
  });

  it('writes every payload of a binary source as base64, also one that is UTF-8 by chance', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.string().map((text) => Buffer.from(text)),
    );
    const binary = { type: 'iot-core', dataFormat: 'binary', defaults: {} } as const;
    fc.assert(
      fc.property(bytes, (payload) => {
        const scope = toRuleOutput(new MqttRecord(envelope(payload)), binary);
        const base64 = Buffer.from(payload).toString('base64');
        expect(compileTemplate('<${payload}>').renderText(scope)).toBe(`<${base64}>`);
        expect(compileTemplate('${payload_encoding}').renderText(scope)).toBe('base64');
        expect(Buffer.from(compileTemplate('${payload}').render(scope)).equals(payload)).toBe(true);
      }),
    );
  });

  it('renders values once: what they hold is never a template', () => {
    const value = fc.string({ unit: fc.constantFrom('$', '{', '}', 'topic', '.', '"', 'a') });
    fc.assert(fc.property(value, (text) => compileTemplate('<${v}>').renderText({ v: text }) === `<${text}>`));
  });

  it('compiles any text as a template, or refuses it', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', 'a', '.', '[') }), (text) => {
        try {
          compileTemplate(text, { missingVariable: 'undefined' }).renderText({ a: 1 });
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidTemplateError);
          expect(text.slice(text.lastIndexOf('${'))).not.toContain('}');
        }
      }),
    );
  });

  it('keeps the digits of numbers that a double would round', () => {
    const payload =
      '{"id":12345678901234567890,"huge":1e400,"round":5.0,"e":1e3,"many":0.12345678901234567,"in":[1.0,9007199254740993]}';
    const text = compileTemplate(
      '${payload.id} ${payload.huge} ${payload.round} ${payload.e} ${payload.many} ${payload.in}',
    );
    expect(text.renderText(scopeOf(payload))).toBe(
      '12345678901234567890 1e400 5.0 1000.0 0.123456789 [1.0,9007199254740993]',
    );
  });

  it('reads own properties only, and keys such as __proto__ as data (S09)', () => {
    const template = compileTemplate('${payload.__proto__.x}|${payload.constructor}', { missingVariable: 'undefined' });
    expect(template.renderText(scopeOf('{"__proto__":{"x":1}}'))).toBe('1|undefined');
    expect(template.renderText(scopeOf('{"__proto__":{"x":1.0}}'))).toBe('1.0|undefined');
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
  });

  it('refuses a message that lacks a value, or whose payload cannot be read for it (E17, F12)', () => {
    expect(codeOf(() => compileTemplate('${nope}').renderText(scopeOf('{}')))).toBe('TEMPLATE_VARIABLE_MISSING');
    expect(codeOf(() => compileTemplate('${payload.x}').renderText(scopeOf('not JSON')))).toBe('INVALID_PAYLOAD');
    expect(codeOf(() => compileTemplate('${payload.x}').renderText(scopeOf(new Uint8Array([0xff]))))).toBe(
      'INVALID_PAYLOAD',
    );
    expect(codeOf(() => compileTemplate('${payload.x}').renderText(scopeOf('{"x":"\\ud800"}')))).toBe(
      'INVALID_PAYLOAD',
    );
    expect(codeOf(() => compileTemplate('${clientid}', { nullIsMissing: true }).renderText({ clientid: null }))).toBe(
      'TEMPLATE_VARIABLE_MISSING',
    );
  });
});

describe('parseJson', () => {
  it('is JSON.parse wherever that loses nothing', () => {
    fc.assert(fc.property(fc.json(), (text) => JSON.stringify(parseJson(text)) === JSON.stringify(JSON.parse(text))));
  });

  it('refuses what nests too deeply, and reads the rest in one go', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(() => parseJson(nested(10_000))).toThrow(/deeper than 1000/);
    expect(() => parseJson('['.repeat(131_072))).toThrow(SyntaxError);
    expect(parseJson(`{"a":${nested(900)},"b":1.0}`)).toBeTypeOf('object');
  });
});

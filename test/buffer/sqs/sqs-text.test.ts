import fc from 'fast-check';
import { expect, it } from 'vitest';
import { escaped, replaced } from '../../../lambdas/buffer/sqs/sqs-text.ts';

/** The characters that SQS takes (Amazon SQS, "SendMessage"). */
const TAKEN = /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u;
const anyText = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) });

it('makes a body that SQS takes of any text, and keeps the JSON in it', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(escaped(text)).toMatch(TAKEN);
      expect(escaped(text)).not.toBe('');
      expect(replaced(text)).toMatch(TAKEN);
      const json = JSON.stringify({ topic: text.toWellFormed() });
      expect(JSON.parse(escaped(json))).toEqual(JSON.parse(json));
    }),
  );
  expect(escaped('{"topic":"a\uffff"}')).toBe('{"topic":"a\\uffff"}');
  expect(escaped('plain')).toBe('plain');
});

import fc from 'fast-check';
import { Message as ProtocolMessage } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import { describe, expect, it } from 'vitest';
import { NeverRetry } from '../../../../lambdas/core/errors.ts';
import { MAX_GROUP_CHARACTERS } from '../../../../lambdas/deliver/rocketmq/constraints.ts';
import {
  MAX_PROPERTIES,
  MAX_PROPERTIES_BYTES,
  toProtocolMessage,
} from '../../../../lambdas/deliver/rocketmq/grpc/message.ts';
import type { Message } from '../../../../lambdas/deliver/rocketmq/message.ts';
import { anyCharacter } from '../../../support/characters.ts';

const MAX_BYTES = 1_000;
const given = (over: Partial<Message> = {}): Message => ({ body: Buffer.from('x'), ...over });
const context = { id: 'id', namespace: 'ns', maxMessageBytes: MAX_BYTES };
const made = (over: Partial<Message>) => toProtocolMessage('T', given(over), context);
/** As a proxy reads it. */
const read = (over: Partial<Message>) => ProtocolMessage.deserializeBinary(made(over).serializeBinary());
const codeOf = (over: Partial<Message>) => {
  try {
    made(over);
    return undefined;
  } catch (error) {
    return (error as NeverRetry).code;
  }
};

describe('a message for a proxy', () => {
  it('holds the very bytes, also of a view', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.nat(10), (bytes, offset) => {
        const view = new Uint8Array(offset + bytes.length + 3).subarray(offset, offset + bytes.length);
        view.set(bytes);
        expect([...read({ body: view }).getBody_asU8()]).toEqual([...bytes]);
      }),
    );
  });

  it('has properties that a proxy takes, whatever they were, or is refused', () => {
    const text = fc.string({ unit: anyCharacter, maxLength: 20 });
    fc.assert(
      fc.property(fc.dictionary(text, text), (properties) => {
        try {
          const checked = read({ properties }).getUserPropertiesMap().getEntryList() as [string, string][];
          for (const [name, value] of checked) {
            expect(value).not.toBe('');
            const codes = [...(name + value)].map((character) => character.codePointAt(0)!);
            expect(codes.filter((code) => code < 0x20 || (code >= 0x7f && code < 0xa0))).toEqual([]);
            expect((name + value).isWellFormed()).toBe(true);
          }
          expect(checked.length).toBe(Object.values(properties).filter((value) => value !== '').length);
        } catch (error) {
          if (!(error instanceof NeverRetry)) throw error;
          const isEmpty = ([name, value]: [string, string]) => name !== '' && value === '';
          const all = Object.entries(properties).filter((pair) => !isEmpty(pair));
          expect(all.some(([name, value]) => name === '' || /\p{Cc}/u.test(name + value))).toBe(true);
        }
      }),
    );
  });

  it('is refused without repeating the name of a property, which may come from a publisher', () => {
    for (const [name, value] of [
      ['secret', 'a\nb'],
      ['secret\n', 'b'],
    ] as const)
      expect(() => read({ properties: { [name]: value } })).toThrow(/^(?!.*secret).*property: got a text with U\+000A/);
  });

  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, 'v']));
  it.each<[string | undefined, Partial<Message>]>([
    [undefined, { properties: many(MAX_PROPERTIES) }],
    ['REJECTED', { properties: many(MAX_PROPERTIES + 1) }],
    [undefined, { properties: { a: 'v'.repeat(MAX_PROPERTIES_BYTES - 1) } }],
    ['MESSAGE_TOO_LARGE', { properties: { a: 'v'.repeat(MAX_PROPERTIES_BYTES) } }],
    ['REJECTED', { properties: { UNIQ_KEY: 'x' } }],
    ['REJECTED', { properties: { a: 'two\nlines' } }],
    ['REJECTED', { keys: ['a\tb'] }],
    ['REJECTED', { tag: 'a|b' }],
    ['REJECTED', { tag: ' ' }],
    [undefined, { group: 'g'.repeat(MAX_GROUP_CHARACTERS) }],
    ['REJECTED', { group: 'g'.repeat(MAX_GROUP_CHARACTERS + 1) }],
    ['REJECTED', { group: ' ' }],
    ['REJECTED', { delayLevel: 1 }],
    ['REJECTED', { group: 'g', deliverAtMs: 1 }],
    ['REJECTED', { deliverAtMs: Number.MAX_SAFE_INTEGER }],
    ['REJECTED', { body: Buffer.alloc(0) }],
    [undefined, { body: Buffer.alloc(MAX_BYTES) }],
    ['MESSAGE_TOO_LARGE', { body: Buffer.alloc(MAX_BYTES + 1) }],
  ])('is %s: %#', (code, over) => expect(codeOf(over)).toBe(code));
});

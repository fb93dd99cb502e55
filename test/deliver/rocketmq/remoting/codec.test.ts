import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NeverRetry, StopTask } from '../../../../lambdas/core/errors.ts';
import { checkTopic, type Message } from '../../../../lambdas/deliver/rocketmq/message.ts';
import { encodeBatch } from '../../../../lambdas/deliver/rocketmq/remoting/batch.ts';
import { decodeAnswer, encodeRequest } from '../../../../lambdas/deliver/rocketmq/remoting/command.ts';
import { ProtocolError } from '../../../../lambdas/deliver/rocketmq/remoting/errors.ts';
import {
  encodeHead,
  type Frame,
  frameReader,
  MAX_ANSWER_BYTES,
  MAX_HEADER_BYTES,
} from '../../../../lambdas/deliver/rocketmq/remoting/frame.ts';
import { messageIds } from '../../../../lambdas/deliver/rocketmq/remoting/message-id.ts';
import { prepareMessage } from '../../../../lambdas/deliver/rocketmq/remoting/prepared-message.ts';
import { javaHash, queueOfGroup, roundRobin } from '../../../../lambdas/deliver/rocketmq/remoting/queue.ts';
import { parseCluster, parseRoute } from '../../../../lambdas/deliver/rocketmq/remoting/route.ts';
import { signWith } from '../../../../lambdas/deliver/rocketmq/remoting/signer.ts';
import { runs } from '../../../support/property-runs.ts';
import { encodeAnswer } from './scripted-server.ts';

const ID = 'A'.repeat(32);
const text = fc.string({ unit: 'grapheme' });

/** Reads frames from a stream in chunks of these sizes; the last size applies to the rest. */
function read(stream: Uint8Array, sizes: readonly number[]): Frame[] {
  const frames: Frame[] = [];
  const reader = frameReader((frame) => frames.push(frame));
  let at = 0;
  for (let i = 0; at < stream.length; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)]!;
    reader.push(stream.subarray(at, at + size));
    at += size;
  }
  return frames;
}

describe('frames', () => {
  const chunks = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });

  it('are read as they were written, however the stream is divided', () => {
    const parts = fc.array(fc.record({ header: text, body: fc.uint8Array() }), { maxLength: 5 });
    fc.assert(
      fc.property(parts, chunks, (given, sizes) => {
        const stream = Buffer.concat(given.flatMap(({ header, body }) => [encodeHead(header, body.length), body]));
        const frames = read(stream, sizes);
        expect(frames.map(({ header, body }) => ({ header: header.toString(), body: new Uint8Array(body) }))).toEqual(
          given.map(({ header, body }) => ({ header, body: new Uint8Array(body) })),
        );
      }),
    );
  });

  it('of a broken server give a ProtocolError or answers, and nothing else', () => {
    const valid = encodeAnswer(7, { code: 17, remark: 'r', fields: { a: 'b' }, body: '{"x":1}' });
    const changes = fc.array(fc.record({ at: fc.nat(valid.length), byte: fc.nat(255) }), { maxLength: 6 });
    fc.assert(
      fc.property(changes, chunks, fc.uint8Array(), (changed, sizes, rest) => {
        const stream = Buffer.concat([valid, valid, rest]);
        for (const { at, byte } of changed) stream[at] = byte;
        try {
          for (const frame of read(stream, sizes)) decodeAnswer(frame);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: runs(1_000) },
    );
  });

  it('are refused by their length before their bytes arrive', () => {
    const announced = (bytes: number) => () => read(Buffer.from(Uint32Array.of(bytes).buffer).swap32(), [4]);
    expect(announced(MAX_ANSWER_BYTES)).not.toThrow();
    for (const bytes of [0, 3, MAX_ANSWER_BYTES + 1, 0x7fff_ffff, 0xffff_ffff])
      expect(announced(bytes)).toThrow(ProtocolError);
    expect(() => read(encodeHead('x'.repeat(MAX_HEADER_BYTES + 1), 0), [65_536])).toThrow(/header of 1048577 bytes/);
  });

  it('need no more memory when they arrive byte by byte', () => {
    const stream = encodeAnswer(1, { body: 'x'.repeat(500_000) });
    expect(read(stream, [1])[0]!.body.length).toBe(500_000);
  });
});

describe('commands', () => {
  it('hold the fields and body that they are given', () => {
    const request = { code: 310, fields: { b: 'T', i: 'KEYS\x01ü\x02x\x01"{}"' }, body: Buffer.from('b') };
    const [frame] = read(Buffer.concat([encodeRequest(5, request), request.body]), [3]);
    expect(JSON.parse(frame!.header.toString())).toEqual({
      code: 310,
      language: 'OTHER',
      version: 0,
      opaque: 5,
      flag: 0,
      extFields: request.fields,
    });
    expect(frame!.body.toString()).toBe('b');
  });

  it('of any JSON are an answer, a server’s request, or a ProtocolError', () => {
    const header = fc.oneof(
      fc.jsonValue(),
      fc.record({ code: fc.jsonValue(), opaque: fc.integer(), flag: fc.integer(), extFields: fc.jsonValue() }),
    );
    fc.assert(
      fc.property(header, (value) => {
        const frame = { header: Buffer.from(JSON.stringify(value)), body: Buffer.alloc(0) };
        try {
          const answer = decodeAnswer(frame);
          if (answer !== undefined) expect([...answer.fields.values()].every((v) => typeof v === 'string')).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });

  it('are signed over the values of all fields, sorted by name, then the body', () => {
    const credentials = { accessKey: 'ak', secretKey: 'sk', securityToken: 'st' };
    const sign = (fields: Record<string, string>, body: string) =>
      signWith(credentials, { code: 310, fields, body: Buffer.from(body) }).fields['Signature'];
    // The values are concatenated: AccessKey, SecurityToken, a, b, body.
    expect(sign({ b: '2', a: '1' }, '3')).toBe(sign({ a: '1', b: '23' }, ''));
    expect(sign({ a: '2', b: '1' }, '3')).not.toBe(sign({ a: '1', b: '2' }, '3'));
    const once = signWith(credentials, { code: 1, fields: { a: '1' } });
    expect(signWith(credentials, once)).toEqual(once);
  });
});

describe('messages', () => {
  const prepare = (over: Partial<Message>) => prepareMessage({ body: Buffer.from('b'), ...over }, ID, 100);
  const codeOf = (over: Partial<Message>) => {
    try {
      prepare(over);
      return undefined;
    } catch (error) {
      return (error as NeverRetry).code;
    }
  };

  /** Decodes properties as RocketMQ does (class MessageDecoder). */
  const decode = (properties: string) =>
    Object.fromEntries(
      properties
        .split('\x02')
        .map((pair) => pair.split('\x01'))
        .filter((pair) => pair.length === 2),
    );

  it('arrive with the properties that they were sent with', () => {
    const plain = text.filter((value) => !value.includes('\x01') && !value.includes('\x02'));
    const names = plain.filter((name) => codeOf({ properties: { [name]: 'x' } }) === undefined);
    fc.assert(
      fc.property(fc.dictionary(names, plain, { maxKeys: 8 }), (properties) => {
        const { properties: encoded } = prepare({ properties, keys: ['k1', 'k2'], tag: 'tag', group: 'g' });
        const arriving = Object.entries(properties).filter(([, value]) => value !== '');
        expect(decode(encoded)).toEqual({
          ...Object.fromEntries(arriving),
          KEYS: 'k1 k2',
          TAGS: 'tag',
          __SHARDINGKEY: 'g',
          UNIQ_KEY: ID,
        });
      }),
    );
  });

  it('end with a separator: brokers of 4.9.0 to 4.9.2 append further ones in a batch', () => {
    const { properties } = prepare({ properties: { p: 'x' }, keys: ['k'] });
    const record = encodeBatch([prepare({ properties: { p: 'x' }, keys: ['k'] })]);
    expect(record.subarray(-properties.length).toString()).toBe(properties);
    expect(decode(`${properties}CLUSTER\x01c`)).toEqual({ p: 'x', KEYS: 'k', UNIQ_KEY: ID, CLUSTER: 'c' });
  });

  it('hold no half of a surrogate pair: a server would read other bytes than were signed', () => {
    expect(decode(prepare({ properties: { lone: '\ud800x' } }).properties)['lone']).toBe('\ufffdx');
  });

  it('are refused if a server would refuse or misread them', () => {
    expect(codeOf({ body: Buffer.alloc(0) })).toBe('REJECTED');
    expect(codeOf({ body: Buffer.alloc(100) })).toBeUndefined();
    expect(codeOf({ body: Buffer.alloc(101) })).toBe('MESSAGE_TOO_LARGE');
    expect(codeOf({ properties: { p: 'x'.repeat(32_000) } })).toBe('MESSAGE_TOO_LARGE');
    // Otherwise a device could hide a message: TRAN_MSG makes it half of a transaction.
    for (const name of ['TRAN_MSG', 'KEYS', 'UNIQ_KEY', 'TIMER_DELIVER_MS', '__RMQ.TRANSIENT.X', ''])
      expect(codeOf({ properties: { [name]: 'true' } })).toBe('REJECTED');
    for (const value of ['a\x01b', 'a\x02TRAN_MSG\x01true'])
      expect(codeOf({ properties: { p: value } })).toBe('REJECTED');
    expect(codeOf({ keys: ['a b'] })).toBe('REJECTED');
    expect(codeOf({ tag: 'a||b' })).toBe('REJECTED');
    expect(codeOf({ tag: ' ' })).toBe('REJECTED');
    expect(codeOf({ tag: 'a ' })).toBe('REJECTED');
    expect(codeOf({ delayLevel: 19 })).toBe('REJECTED');
    expect(() => checkTopic('a/b', true)).toThrow(NeverRetry);
    expect(() => checkTopic('x'.repeat(128), true)).toThrow(/got 128 characters; expected 1 to 127/);
    expect(() => checkTopic('ns%A_b-c|1', true)).not.toThrow();
    // A name that was unknown until deployment is the task's fault.
    expect(() => checkTopic('a b', false)).toThrow(StopTask);
    expect(() => checkTopic('a b', false)).toThrow(/^topic: got 'a b'; expected 1 to 127/);
  });

  it('are refused without repeating a publisher’s text (S05)', () => {
    const canary = 'Zq83canary';
    const refused: Partial<Message>[] = [
      { keys: [`${canary} b`] },
      { tag: `${canary}|` },
      { delayLevel: 8_300_019 },
      { deliverAtMs: -8_300_019 },
      { group: `${canary}\x01` },
      { properties: { [`${canary}\x02`]: canary } },
      { properties: { [`__RMQ.${canary}`]: canary } },
    ];
    const messages = [() => checkTopic(`${canary}/b`, true), ...refused.map((over) => () => prepare(over))].map(
      (use) => {
        try {
          use();
        } catch (error) {
          return (error as Error).message;
        }
        throw new Error('nothing was refused');
      },
    );
    for (const message of messages) expect(message).not.toMatch(/Zq83|83000/);
    expect(messages[0]).toContain('12 characters with a punctuation mark at position 10');
  });
});

describe('batches', () => {
  const message = fc.record({ body: fc.uint8Array({ minLength: 1, maxLength: 60 }), tag: fc.constantFrom('ü', '😀') });
  const batch = fc.array(message, { maxLength: 30 });
  const prepareAll = (messages: readonly Message[]) => messages.map((one) => prepareMessage(one, ID, 100));

  it('can be divided into their records again', () => {
    fc.assert(
      fc.property(batch, (messages) => {
        const prepared = prepareAll(messages);
        const block = encodeBatch(prepared);
        let at = 0;
        for (const { body, properties } of prepared) {
          const end = at + block.readInt32BE(at);
          const bodyEnd = at + 20 + block.readInt32BE(at + 16);
          expect(block.subarray(at + 4, at + 16)).toEqual(Buffer.alloc(12));
          expect(block.subarray(at + 20, bodyEnd)).toEqual(Buffer.from(body));
          expect(block.subarray(bodyEnd + 2, end).toString()).toBe(properties);
          expect(block.readInt16BE(bodyEnd)).toBe(end - bodyEnd - 2);
          at = end;
        }
        expect(at).toBe(block.length);
      }),
    );
  });
});

describe('message ids', () => {
  it('differ within a process, across processes, and when the clock is set back', () => {
    let now = Date.UTC(2026, 10, 21);
    const clock = { wallMs: () => now };
    const [one, other] = [messageIds(clock), messageIds(clock)];
    const ids = Array.from({ length: 66_000 }, () => one());
    now -= 5_000;
    ids.push(...Array.from({ length: 1_000 }, () => one()), other());
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^[0-9A-F]{32}$/.test(id))).toBe(true);
    expect(other().slice(0, 20)).not.toBe(one().slice(0, 20));
  });
});

describe('queues', () => {
  const route = (...queues: number[]) => ({
    brokers: queues.map((count, i) => ({ name: `b${i}`, address: `h${i}:1`, queues: count })),
    servers: new Set<string>(),
    isDefault: false,
  });
  const none = { isBackedOff: () => false };

  it('are used in turn, whatever their number per broker', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }), (queues) => {
        const next = roundRobin(none);
        const total = queues.reduce((sum, n) => sum + n, 0);
        const taken = Array.from({ length: total }, () => next(route(...queues))).map((q) => `${q.broker}:${q.id}`);
        expect(new Set(taken).size).toBe(total);
      }),
    );
  });

  it('of a broker that failed are used only if there are no others', () => {
    const next = roundRobin({ isBackedOff: (address) => address === 'h0:1' });
    expect(Array.from({ length: 6 }, () => next(route(3, 2)).broker)).toEqual(Array(6).fill('b1'));
    expect(next(route(3)).broker).toBe('b0');
  });

  it('of a group are those that RocketMQ’s Java client chooses', () => {
    expect(javaHash('hello')).toBe(99_162_322);
    expect(javaHash('polygenelubricants')).toBe(-2_147_483_648);
    expect(queueOfGroup(route(4, 4), 'hello')).toEqual({ broker: 'b0', address: 'h0:1', id: 2 });
    fc.assert(
      fc.property(text, (group) => {
        const { broker, id } = queueOfGroup(route(2, 3), group);
        expect(id).toBeLessThan(broker === 'b0' ? 2 : 3);
      }),
    );
  });
});

describe('routes', () => {
  const broker = (name: string, addrs: object) => ({ brokerName: name, cluster: 'c', brokerAddrs: addrs });
  const queue = (brokerName: string, perm = 6, writeQueueNums = 4) => ({ brokerName, perm, writeQueueNums });
  const brokersOf = (brokerDatas: unknown[], queueDatas: unknown[]) =>
    parseRoute(JSON.stringify({ brokerDatas, queueDatas })).brokers;

  it('hold writable masters, and no other brokers', () => {
    expect(
      brokersOf(
        [
          broker('b', { 0: 'h:2', 1: 's:2' }),
          broker('a', { 0: 'h:1' }),
          broker('slave', { 1: 'h:3' }),
          broker('x', { 0: 'no address' }),
        ],
        [queue('b'), queue('a', 2), queue('slave'), queue('x'), queue('unknown'), queue('a', 4), queue('b', 6, 0)],
      ),
    ).toEqual([
      { name: 'a', address: 'h:1', queues: 4 },
      { name: 'b', address: 'h:2', queues: 4 },
    ]);
  });

  it('are read with bare numbers as keys', () => {
    expect(
      parseRoute(
        '{"brokerDatas":[{"brokerAddrs":{0:"h:1",1:"s:1"},"brokerName":"a"}],"queueDatas":[{"brokerName":"a","perm":6,"writeQueueNums":8}]}',
      ).brokers,
    ).toEqual([{ name: 'a', address: 'h:1', queues: 8 }]);
    expect(parseCluster('{"brokerAddrTable":{"a":{"brokerAddrs":{0:"h:1"}}}}')).toEqual([
      { name: 'a', address: 'h:1' },
    ]);
  });

  it('of a broken name server are a ProtocolError or hold no broker', () => {
    const data = fc.array(fc.jsonValue(), { maxLength: 3 });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.record({ brokerDatas: data, queueDatas: data })), (value) => {
        for (const parse of [parseRoute, parseCluster])
          try {
            parse(JSON.stringify(value));
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
      }),
    );
  });
});

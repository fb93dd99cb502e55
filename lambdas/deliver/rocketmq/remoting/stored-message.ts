import { inflateSync } from 'node:zlib';
import { ProtocolError } from './errors.ts';

/** A message as a broker stores it. */
export interface StoredMessage {
  readonly queueId: number;
  readonly offset: number;
  /** When the broker stored it: milliseconds since 1970. */
  readonly storedAt: number;
  readonly keys: string | undefined;
  readonly tag: string | undefined;
  /** All others, those that the broker and the client add included. */
  readonly properties: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Magic codes of the formats, whose topics have a length of one byte and of two. */
const MAGIC = { 3668123815: 1, 3668123819: 2 } as Readonly<Record<number, 1 | 2>>;
const COMPRESSED = 0x1;
const COMPRESSION_TYPE = 0x700;
/** No type, from versions before 5, or ZLIB. */
const ZLIB = new Set([0, 0x300]);
const BORN_BY_IPV6 = 0x10;
const STORED_BY_IPV6 = 0x20;
const AFTER_NAME = '\x01';
const AFTER_PAIR = '\x02';

/** Decodes messages that follow each other, as a pull returns them (class MessageDecoder of RocketMQ). @throws ProtocolError */
export function decodeMessages(bytes: Buffer): StoredMessage[] {
  const messages: StoredMessage[] = [];
  try {
    for (let at = 0; at < bytes.length; ) {
      const size = bytes.readInt32BE(at);
      if (size < 4 || at + size > bytes.length) throw new RangeError('size');
      messages.push(decode(bytes.subarray(at, at + size)));
      at += size;
    }
  } catch (cause) {
    throw new ProtocolError('a message that is not in the format of RocketMQ', { cause });
  }
  return messages;
}

function decode(bytes: Buffer): StoredMessage {
  const topicLengthBytes = MAGIC[bytes.readUInt32BE(4)];
  if (topicLengthBytes === undefined) throw new RangeError('magic code');
  const sysFlag = bytes.readInt32BE(36);
  const bornHostBytes = sysFlag & BORN_BY_IPV6 ? 20 : 8;
  const storedAt = 48 + bornHostBytes;
  const storeHostBytes = sysFlag & STORED_BY_IPV6 ? 20 : 8;
  let at = storedAt + 8 + storeHostBytes + 4 + 8;
  const body = take(bytes.readInt32BE(at), 4);
  take(topicLengthBytes === 1 ? bytes.readUInt8(at) : bytes.readUInt16BE(at), topicLengthBytes);
  const pairs = take(bytes.readUInt16BE(at), 2).toString('utf8').split(AFTER_PAIR);
  const all = pairs.filter((pair) => pair !== '').map((pair) => pair.split(AFTER_NAME) as [string, string]);
  const { KEYS, TAGS, ...properties } = Object.fromEntries(all) as Record<string, string>;
  const isZlib = (sysFlag & COMPRESSED) !== 0 && ZLIB.has(sysFlag & COMPRESSION_TYPE);
  return {
    queueId: bytes.readInt32BE(12),
    offset: Number(bytes.readBigInt64BE(20)),
    storedAt: Number(bytes.readBigInt64BE(storedAt)),
    keys: KEYS,
    tag: TAGS,
    properties,
    body: isZlib ? inflateSync(body) : body,
  };

  function take(length: number, lengthBytes: number): Buffer {
    const start = at + lengthBytes;
    at = start + length;
    if (at > bytes.length) throw new RangeError('length');
    return bytes.subarray(start, at);
  }
}

import { NeverRetry } from '../../../core/errors.ts';
import { redactedText } from '../../../core/redacted-text.ts';
import { checkUserProperty, encodeProperties } from './properties.ts';

/** A message as the producer takes it. */
export interface Message {
  /** One byte at least: 5.x refuses an empty one. */
  readonly body: Uint8Array;
  /** By which it is found and its duplicates are told; none holds a space. @default - none */
  readonly keys?: readonly string[];
  /** By which consumers filter: not blank, no '|'. @default - none */
  readonly tag?: string;
  /** Properties of the user's. Those with an empty value do not arrive. @default - none */
  readonly properties?: Readonly<Record<string, string>>;
  /** Sharding key, or message group: messages of one go to one queue, in their order. @default - any queue */
  readonly group?: string;
  /** Delivered after a delay of this level, 1 to 18; by default 1 s, 5 s, 10 s, 30 s, 1 to 10 min, 20 min, 30 min, 1 h, 2 h. */
  readonly delayLevel?: number;
  /** Delivered at this time, in milliseconds since 1970: by 5.x brokers only, within three days by default. */
  readonly deliverAtMs?: number;
}

/** A message that can be sent: checked, and with its id, which stays the same over all attempts. */
export interface PreparedMessage {
  readonly id: string;
  readonly body: Uint8Array;
  /** Encoded. */
  readonly properties: string;
  /** Size of its record in a batch. */
  readonly recordBytes: number;
  readonly group: string | undefined;
  /** Whether it has to be sent alone: a batch is delivered at once. */
  readonly isDelayed: boolean;
  readonly isTimed: boolean;
}

/** What a record in a batch has beside body and properties. */
const RECORD_OVERHEAD_BYTES = 22;
const TOPIC = /^[%|a-zA-Z0-9_-]{1,127}$/;
const NO_TOPIC_CHARACTER = /[^%|a-zA-Z0-9_-]/;
const MAX_DELAY_LEVEL = 18;

/** @throws NeverRetry for what a server would refuse, or would take and get wrong. */
export function prepareMessage(message: Message, id: string, maxMessageBytes: number): PreparedMessage {
  const { body, group, delayLevel, deliverAtMs } = message;
  if (body.length === 0) throw new NeverRetry('REJECTED', 'body: got no bytes; expected at least one');
  if (body.length > maxMessageBytes) throw tooLarge(body.length, maxMessageBytes);
  const properties = encodeProperties(allProperties(message, id));
  return {
    id,
    body,
    properties,
    recordBytes: RECORD_OVERHEAD_BYTES + body.length + Buffer.byteLength(properties),
    group,
    isDelayed: delayLevel !== undefined || deliverAtMs !== undefined,
    isTimed: deliverAtMs !== undefined,
  };
}

/** @throws NeverRetry unless it is a topic's name as servers take it, namespace included. */
export function checkTopic(topic: string): void {
  if (!TOPIC.test(topic))
    throw new NeverRetry(
      'INVALID_TARGET',
      `topic: got ${redactedText(topic, NO_TOPIC_CHARACTER)}; expected 1 to 127 letters, digits, _, -, % and |`,
    );
}

export function tooLarge(bytes: number, maxBytes: number): NeverRetry {
  return new NeverRetry('MESSAGE_TOO_LARGE', `the body has ${bytes} bytes; expected at most ${maxBytes}`);
}

function* allProperties(message: Message, id: string): Generator<readonly [string, string]> {
  const { keys = [], tag, properties = {}, group, delayLevel, deliverAtMs } = message;
  for (const [name, value] of Object.entries(properties)) {
    checkUserProperty(name);
    yield [name, value];
  }
  if (keys.length > 0) yield ['KEYS', keys.map(checkKey).join(' ')];
  if (tag !== undefined) yield ['TAGS', checkTag(tag)];
  if (group !== undefined) yield ['__SHARDINGKEY', group];
  if (delayLevel !== undefined) yield ['DELAY', `${checkDelayLevel(delayLevel)}`];
  if (deliverAtMs !== undefined) yield ['TIMER_DELIVER_MS', `${checkTime(deliverAtMs)}`];
  yield ['UNIQ_KEY', id];
}

export function checkKey(key: string): string {
  if (key === '' || key.includes(' '))
    throw rejected('key', redactedText(key, / /), 'a text that is not empty and holds no space');
  return key;
}

export function checkTag(tag: string): string {
  if (tag.trim() === '' || tag.includes('|'))
    throw rejected('tag', redactedText(tag, /\||^\s+$/), 'a text that is not blank and holds no |');
  return tag;
}

function checkDelayLevel(level: number): number {
  if (!Number.isInteger(level) || level < 1 || level > MAX_DELAY_LEVEL)
    throw rejected('delayLevel', 'another number', `a whole number from 1 to ${MAX_DELAY_LEVEL}`);
  return level;
}

export function checkTime(timeMs: number): number {
  if (!Number.isSafeInteger(timeMs) || timeMs < 0)
    throw rejected('deliverAtMs', 'another number', 'milliseconds since 1970');
  return timeMs;
}

// What was given may be a publisher's: dead letters and logs tell of it, and do not repeat it.
function rejected(option: string, given: string, expected: string): NeverRetry {
  return new NeverRetry('REJECTED', `${option}: got ${given}; expected ${expected}`);
}

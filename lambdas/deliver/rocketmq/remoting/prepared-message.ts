import { NeverRetry } from '../../../core/errors.ts';
import { MAX_DELAY_LEVEL } from '../constraints.ts';
import { checkKey, checkTag, checkTime, type Message, rejected, tooLarge } from '../message.ts';
import { checkUserProperty } from '../user-property.ts';
import { encodeProperties } from './properties.ts';

/** A message that was checked and encoded. Its id stays the same over all attempts. */
export interface PreparedMessage {
  readonly id: string;
  readonly body: Uint8Array;
  /** As they travel. */
  readonly properties: string;
  /** Size of its record in a batch. */
  readonly recordBytes: number;
  readonly group: string | undefined;
  /** Whether it has to be sent alone: brokers deliver a batch at once. */
  readonly isDelayed: boolean;
  readonly isTimed: boolean;
}

/** Bytes of a record in a batch beside body and properties. */
const RECORD_OVERHEAD_BYTES = 22;

/** @throws NeverRetry for a message that a broker would refuse, or would accept and misread. */
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

function checkDelayLevel(level: number): number {
  if (!Number.isInteger(level) || level < 1 || level > MAX_DELAY_LEVEL)
    throw rejected('delayLevel', 'another number', `a whole number from 1 to ${MAX_DELAY_LEVEL}`);
  return level;
}

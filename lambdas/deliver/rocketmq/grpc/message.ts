import type { MessageOptions } from 'rocketmq-client-nodejs';
import { NeverRetry } from '../../../core/errors.ts';
import { GROUP_BY_PROXIES } from '../constraints.ts';
import { checkKey, checkTag, checkTime, type Message, tooLarge } from '../message.ts';
import { checkUserProperty } from '../user-property.ts';

/** What proxies take by default (rocketmq.apache.org, Parameter constraints; class ProxyConfig of 5.5.0). */
export const MAX_PROPERTIES = 128;
export const MAX_PROPERTIES_BYTES = 16 * 1024;
const MAX_TIME_MS = 8_640_000_000_000_000;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** The message as the client takes it. @throws NeverRetry for what a proxy would refuse, or would take and get wrong. */
export function toClientMessage(topic: string, message: Message, maxMessageBytes: number): MessageOptions {
  const { body, keys = [], tag, properties = {}, group, delayLevel, deliverAtMs } = message;
  if (body.length === 0) throw new NeverRetry('REJECTED', 'body: got no bytes; expected at least one');
  if (body.length > maxMessageBytes) throw tooLarge(body.length, maxMessageBytes);
  if (delayLevel !== undefined) throw rejected('delayLevel', 'deliverAt: proxies know no levels');
  if (group !== undefined && deliverAtMs !== undefined) throw rejected('deliverAt', 'none beside a message group');
  return {
    topic,
    // Text would be taken for base64.
    body: Buffer.from(body.buffer, body.byteOffset, body.length),
    keys: keys.map((key) => checkText('key', checkKey(key))),
    ...(tag !== undefined && { tag: checkText('tag', checkTag(tag)) }),
    ...(group !== undefined && { messageGroup: checkGroup(group) }),
    ...(deliverAtMs !== undefined && { deliveryTimestamp: checkDate(deliverAtMs) }),
    properties: checkProperties(properties),
  };
}

/** Without those that are empty: they do not arrive. */
function checkProperties(properties: Readonly<Record<string, string>>): Map<string, string> {
  const checked = new Map<string, string>();
  let bytes = 0;
  for (const [name, value] of Object.entries(properties)) {
    checkUserProperty(name);
    if (value === '') continue;
    const option = `property '${name.slice(0, 80)}'`;
    const pair = [checkText(option, name), checkText(option, value)] as const;
    bytes += Buffer.byteLength(pair[0]) + Buffer.byteLength(pair[1]);
    checked.set(...pair);
  }
  if (checked.size > MAX_PROPERTIES)
    throw new NeverRetry('REJECTED', `properties: got ${checked.size}; expected at most ${MAX_PROPERTIES}`);
  if (bytes > MAX_PROPERTIES_BYTES)
    throw new NeverRetry('MESSAGE_TOO_LARGE', `properties have ${bytes} bytes; a proxy takes ${MAX_PROPERTIES_BYTES}`);
  return checked;
}

/** Half surrogate pairs become U+FFFD, which is what would arrive. */
function checkText(option: string, text: string): string {
  const found = CONTROL_CHARACTER.exec(text)?.[0].charCodeAt(0);
  if (found === undefined) return text.toWellFormed();
  const name = `U+${found.toString(16).toUpperCase().padStart(4, '0')}`;
  throw new NeverRetry('REJECTED', `${option} holds the control character ${name}; a proxy takes none`);
}

function checkGroup(group: string): string {
  const { isMet, expected } = GROUP_BY_PROXIES;
  if (group === '' || !isMet(group)) throw rejected('messageGroup', `${expected}, not ${group.length} characters`);
  return checkText('messageGroup', group);
}

function checkDate(timeMs: number): Date {
  if (checkTime(timeMs) > MAX_TIME_MS) throw rejected('deliverAt', 'milliseconds since 1970');
  return new Date(timeMs);
}

function rejected(option: string, expected: string): NeverRetry {
  return new NeverRetry('REJECTED', `${option}: expected ${expected}`);
}

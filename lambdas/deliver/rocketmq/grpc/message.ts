import { hostname } from 'node:os';
import timestamps from 'google-protobuf/google/protobuf/timestamp_pb.js';
import v2, { type Message as ProtocolMessage } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import { NeverRetry } from '../../../core/errors.ts';
import { GROUP_BY_PROXIES, MAX_TIME_MS } from '../constraints.ts';
import { checkKey, checkTag, checkTime, type Message, rejected, tooLarge } from '../message.ts';
import { checkUserProperty } from '../user-property.ts';

export interface MessageContext {
  /** The message's, for all attempts. */
  readonly id: string;
  /** '' when there is none. */
  readonly namespace: string;
  readonly maxMessageBytes: number;
}

/** What proxies take by default (rocketmq.apache.org, Parameter constraints; class ProxyConfig of 5.5.0). */
export const MAX_PROPERTIES = 128;
export const MAX_PROPERTIES_BYTES = 16 * 1024;
const CONTROL_CHARACTER = /\p{Cc}/u;
const { Timestamp } = timestamps;

/**
 * The message as the protocol has it.
 *
 * @throws NeverRetry for what a proxy would refuse or misread
 */
export function toProtocolMessage(
  topic: string,
  message: Message,
  { id, namespace, maxMessageBytes }: MessageContext,
): ProtocolMessage {
  const { body, keys = [], tag, properties = {}, group, delayLevel, deliverAtMs } = message;
  if (body.length === 0) throw rejected('body', 'no bytes', 'at least one');
  if (body.length > maxMessageBytes) throw tooLarge(body.length, maxMessageBytes);
  if (delayLevel !== undefined)
    throw rejected('delayLevel', 'a level', 'deliverAt, because proxies take no delay levels');
  if (group !== undefined && deliverAtMs !== undefined)
    throw rejected('deliverAt', 'a time beside a message group', 'one of them');
  const system = new v2.SystemProperties()
    .setMessageId(id)
    .setKeysList(keys.map((key) => checkText('key', checkKey(key))))
    .setMessageType(v2.MessageType.NORMAL)
    .setBodyEncoding(v2.Encoding.IDENTITY)
    .setBornTimestamp(Timestamp.fromDate(new Date()))
    .setBornHost(hostname());
  if (tag !== undefined) system.setTag(checkText('tag', checkTag(tag)));
  if (group !== undefined) system.setMessageType(v2.MessageType.FIFO).setMessageGroup(checkGroup(group));
  if (deliverAtMs !== undefined)
    system.setMessageType(v2.MessageType.DELAY).setDeliveryTimestamp(Timestamp.fromDate(checkDate(deliverAtMs)));
  const made = new v2.Message()
    .setTopic(new v2.Resource().setName(topic).setResourceNamespace(namespace))
    .setSystemProperties(system)
    .setBody(body);
  const userProperties = made.getUserPropertiesMap();
  for (const [name, value] of checkProperties(properties)) userProperties.set(name, value);
  return made;
}

/** Leaves out properties with an empty value: they do not arrive. */
function checkProperties(properties: Readonly<Record<string, string>>): Map<string, string> {
  const checked = new Map<string, string>();
  let bytes = 0;
  for (const [name, value] of Object.entries(properties)) {
    checkUserProperty(name);
    if (value === '') continue;
    // A name may come from a publisher, so errors do not repeat it.
    const pair = [checkText('name of a property', name), checkText('value of a property', value)] as const;
    bytes += Buffer.byteLength(pair[0]) + Buffer.byteLength(pair[1]);
    checked.set(...pair);
  }
  if (checked.size > MAX_PROPERTIES) throw rejected('properties', `${checked.size}`, `at most ${MAX_PROPERTIES}`);
  if (bytes > MAX_PROPERTIES_BYTES)
    throw new NeverRetry(
      'MESSAGE_TOO_LARGE',
      `properties: got ${bytes} bytes; expected at most ${MAX_PROPERTIES_BYTES}, which is what a proxy takes`,
    );
  return checked;
}

/** Replaces lone surrogates by U+FFFD, as the encoding would. */
function checkText(option: string, text: string): string {
  const found = CONTROL_CHARACTER.exec(text)?.[0].charCodeAt(0);
  if (found === undefined) return text.toWellFormed();
  const name = `U+${found.toString(16).toUpperCase().padStart(4, '0')}`;
  throw rejected(option, `a text with ${name}`, 'no control character, because proxies take none');
}

function checkGroup(group: string): string {
  const { isMet, expected } = GROUP_BY_PROXIES;
  if (group === '' || !isMet(group)) throw rejected('messageGroup', `${group.length} characters`, expected);
  return checkText('messageGroup', group);
}

function checkDate(timeMs: number): Date {
  if (checkTime(timeMs) > MAX_TIME_MS)
    throw rejected('deliverAt', 'a larger number', `at most ${MAX_TIME_MS} milliseconds since 1970`);
  return new Date(timeMs);
}

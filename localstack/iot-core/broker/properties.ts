import type { IPublishPacket } from 'mqtt-packet';
import { Cursor } from './cursor.ts';
import { quotas } from './limits.ts';
import type { MessageProperties } from './publication.ts';
import { ConnectionViolation, malformed, reasonCodes } from './violation.ts';

/** The properties of a PUBLISH or of a will: those of the message, and those between client and broker. */
export interface ReadProperties {
  message: MessageProperties;
  topicAlias?: number;
  willDelayInterval?: number;
}

type Reader = (from: Cursor, into: ReadProperties) => void;

/**
 * By property identifier (MQTT 5, 2.2.2.2). Read here and not by mqtt-packet, which gathers user properties into an
 * object and so loses their order among different keys.
 */
const readers: Record<number, Reader> = {
  1: (from, into) => {
    const value = from.byte();
    if (value > 1) throw new ConnectionViolation('payload format indicator is 0 or 1', reasonCodes.protocolError);
    into.message.payloadFormatIndicator = value === 1 ? 1 : 0;
  },
  2: (from, into) => {
    const { min, max } = quotas.messageExpirySeconds;
    into.message.messageExpiryInterval = Math.min(Math.max(from.uint32(), min), max);
  },
  3: (from, into) => {
    into.message.contentType = from.string();
  },
  8: (from, into) => {
    into.message.responseTopic = from.string();
  },
  9: (from, into) => {
    into.message.correlationData = from.binary();
  },
  11: () => {
    throw new ConnectionViolation('a client sends no subscription identifier', reasonCodes.protocolError);
  },
  24: (from, into) => {
    into.willDelayInterval = from.uint32();
  },
  35: (from, into) => {
    into.topicAlias = from.uint16();
  },
  38: (from, into) => {
    into.message.userProperties.push([from.string(), from.string()]);
  },
};
const userProperty = 38;

export function readProperties(cursor: Cursor): ReadProperties {
  const section = cursor.section(cursor.varint());
  const read: ReadProperties = { message: { userProperties: [] } };
  const seen = new Set<number>();
  while (!section.done) {
    const id = section.varint();
    const reader = readers[id];
    if (reader === undefined) throw malformed(`property ${id} in a message`);
    if (id !== userProperty && seen.has(id)) {
      throw new ConnectionViolation(`property ${id} given twice`, reasonCodes.protocolError);
    }
    seen.add(id);
    reader(section, read);
  }
  assertQuotas(read.message);
  return read;
}

/** The properties of a whole PUBLISH packet of an MQTT 5 client. */
export function readPublishProperties(frame: Buffer, qos: number): ReadProperties {
  const cursor = Cursor.body(frame);
  cursor.string();
  if (qos > 0) cursor.uint16();
  return readProperties(cursor);
}

/** The will properties of a whole CONNECT packet, which has a will, of an MQTT 5 client. */
export function readWillProperties(frame: Buffer): ReadProperties {
  const cursor = Cursor.body(frame);
  cursor.string();
  cursor.section(4); // level, flags, keep-alive
  cursor.section(cursor.varint());
  cursor.string();
  return readProperties(cursor);
}

/** Throws when the properties are larger than AWS lets pass. */
export function assertQuotas(properties: MessageProperties): void {
  const { contentType = '', correlationData, userProperties, responseTopic = '' } = properties;
  const userBytes = userProperties.reduce(
    (sum, pair) => sum + Buffer.byteLength(pair[0]) + Buffer.byteLength(pair[1]),
    0,
  );
  const over =
    (userBytes > quotas.userPropertiesBytes && 'user properties') ||
    ((correlationData?.byteLength ?? 0) > quotas.correlationDataBytes && 'correlation data') ||
    (Buffer.byteLength(contentType) > quotas.contentTypeBytes && 'content type') ||
    (Buffer.byteLength(responseTopic) > quotas.topicBytes && 'response topic');
  if (over) throw new ConnectionViolation(`${over} over AWS's limit`, reasonCodes.quotaExceeded);
  if (/[+#]/.test(responseTopic))
    throw new ConnectionViolation('wildcard in response topic', reasonCodes.protocolError);
}

type PacketProperties = NonNullable<IPublishPacket['properties']>;

/** For mqtt-packet to write. A list of one-pair objects keeps the user properties' order: it writes them one by one. */
export function packetProperties(properties: MessageProperties, expiry: number | undefined): PacketProperties {
  const { contentType, payloadFormatIndicator, responseTopic, correlationData, userProperties } = properties;
  const written: PacketProperties = {};
  if (payloadFormatIndicator !== undefined) written.payloadFormatIndicator = payloadFormatIndicator === 1;
  if (expiry !== undefined) written.messageExpiryInterval = expiry;
  if (contentType !== undefined) written.contentType = contentType;
  if (responseTopic !== undefined) written.responseTopic = responseTopic;
  if (correlationData !== undefined) written.correlationData = Buffer.from(correlationData);
  if (userProperties.length > 0) {
    const pairs: unknown = userProperties.map((pair) => Object.fromEntries([pair]));
    written.userProperties = pairs as NonNullable<PacketProperties['userProperties']>;
  }
  return written;
}

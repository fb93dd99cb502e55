import type { IPublishPacket } from 'mqtt-packet';
import { Cursor } from './cursor.ts';
import { quotas } from './limits.ts';
import type { MessageProperties } from './publication.ts';
import { ConnectionViolation, malformed, reasonCodes } from './violation.ts';

/** The properties of a PUBLISH or a will: those of the message, and those for the broker alone. */
export interface ReadProperties {
  message: MessageProperties;
  topicAlias?: number;
  willDelayInterval?: number;
}

type Reader = (from: Cursor, into: ReadProperties) => void;

/**
 * Readers by property identifier (MQTT 5, section 2.2.2.2). mqtt-packet is not used for them, because it collects user
 * properties in an object and so loses the order among different keys.
 */
const readers: Record<number, Reader> = {
  1: (from, into) => {
    const value = from.byte();
    if (value > 1)
      throw new ConnectionViolation(
        `payload format indicator: got ${value}; expected 0 or 1`,
        reasonCodes.protocolError,
      );
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
    throw new ConnectionViolation(
      'subscription identifier: not allowed in a PUBLISH from a client',
      reasonCodes.protocolError,
    );
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
    if (reader === undefined) throw malformed(`unknown property ${id}`);
    if (id !== userProperty && seen.has(id)) {
      throw new ConnectionViolation(`property ${id}: given twice`, reasonCodes.protocolError);
    }
    seen.add(id);
    reader(section, read);
  }
  assertQuotas(read.message);
  return read;
}

/** Reads the properties of a complete PUBLISH packet of an MQTT 5 client. */
export function readPublishProperties(frame: Buffer, qos: number): ReadProperties {
  const cursor = Cursor.body(frame);
  cursor.string();
  if (qos > 0) cursor.uint16();
  return readProperties(cursor);
}

/** Reads the will properties of a complete CONNECT packet with a will of an MQTT 5 client. */
export function readWillProperties(frame: Buffer): ReadProperties {
  const cursor = Cursor.body(frame);
  cursor.string();
  cursor.section(4); // level, flags, keep-alive
  cursor.section(cursor.varint());
  cursor.string();
  return readProperties(cursor);
}

/** @throws ConnectionViolation when the properties exceed the quotas of AWS IoT Core. */
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
  if (over) throw new ConnectionViolation(`${over}: over the quota of AWS IoT Core`, reasonCodes.quotaExceeded);
  if (/[+#]/.test(responseTopic))
    throw new ConnectionViolation('response topic: contains a wildcard', reasonCodes.protocolError);
}

type PacketProperties = NonNullable<IPublishPacket['properties']>;

/** The properties as mqtt-packet encodes them. It keeps the order of user properties in a list of objects with one pair each. */
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

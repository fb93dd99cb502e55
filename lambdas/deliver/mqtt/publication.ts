import { generate, type IConnackPacket } from 'mqtt-packet';
import { NeverRetry, StopTask } from '../../core/errors.ts';
import type { Publication } from '../../net/mqtt/connection.ts';
import type { MqttRequest } from './message.ts';

type Capabilities = NonNullable<IConnackPacket['properties']>;

/** More than the topic, the properties and the header of most messages. */
const USUAL_OVERHEAD_BYTES = 8_192;

/**
 * Makes the packet of a request for a broker with these capabilities (MQTT 5, section 3.2.2.3). QoS is lowered to the broker's
 * maximum.
 *
 * @throws NeverRetry, StopTask for a message that the broker announces to refuse: publishing it would end the connection.
 */
export function publicationOf(request: MqttRequest, { properties: broker = {} }: IConnackPacket): Publication {
  const { topic, payload, qos, retain, isRetainRendered } = request;
  if (retain && broker.retainAvailable === false) {
    const reason = `publish to ${topic}: retain is true, and the broker keeps no retained messages; set retain: false`;
    throw isRetainRendered ? new NeverRetry('REJECTED', reason) : new StopTask(reason);
  }
  const publication: Publication = {
    topic,
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.length),
    qos: Math.min(qos, broker.maximumQoS ?? 2) as Publication['qos'],
    retain,
    properties: propertiesOf(request),
  };
  checkSize(publication, broker);
  return publication;
}

function checkSize(publication: Publication, { maximumPacketSize }: Capabilities): void {
  if (maximumPacketSize === undefined || publication.payload.length + USUAL_OVERHEAD_BYTES <= maximumPacketSize) return;
  const packet = { cmd: 'publish', dup: false, messageId: 1, ...publication } as const;
  const { length } = generate(packet, { protocolVersion: 5 });
  if (length > maximumPacketSize)
    throw new NeverRetry(
      'MESSAGE_TOO_LARGE',
      `publish to ${publication.topic}: the packet has ${length} bytes; expected at most ${maximumPacketSize}, the broker's maximum`,
    );
}

function propertiesOf({ properties }: MqttRequest): NonNullable<Publication['properties']> {
  const { contentType, responseTopic, correlationData, messageExpirySeconds, payloadFormatIndicator } = properties;
  // mqtt-packet keeps the order of user properties in a list of objects with one pair each.
  const pairs: unknown = properties.userProperties.map((pair) => Object.fromEntries([pair]));
  return {
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData) }),
    ...(messageExpirySeconds !== undefined && { messageExpiryInterval: messageExpirySeconds }),
    ...(payloadFormatIndicator !== undefined && { payloadFormatIndicator: payloadFormatIndicator === 1 }),
    ...(properties.userProperties.length > 0 && { userProperties: pairs as Record<string, string> }),
  };
}

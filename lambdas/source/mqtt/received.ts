import { randomUUID } from 'node:crypto';
import type { IPublishPacket } from 'mqtt-packet';
import { ENVELOPE_VERSION, type Envelope } from '../../core/envelope.ts';
import { PUBLISH } from '../../core/event-type.ts';

/**
 * Makes an envelope of a message that a broker sent. MQTT does not report the publisher's client id. A message that the broker sends
 * again gets another id: nothing in MQTT identifies a message over connections, since brokers reuse packet identifiers and not all
 * of them set the DUP flag.
 */
export function receivedEnvelope(packet: IPublishPacket, nowMs: number): Envelope {
  const { topic, payload, qos, retain, dup, properties = {} } = packet;
  const { contentType, payloadFormatIndicator, responseTopic, correlationData, userProperties } = properties;
  return {
    v: ENVELOPE_VERSION,
    kind: PUBLISH,
    id: randomUUID(),
    topic,
    timestamp: nowMs,
    payload: Buffer.from(payload).toString('base64'),
    ...(contentType !== undefined && { contentType }),
    ...(payloadFormatIndicator !== undefined && {
      formatIndicator: payloadFormatIndicator ? 'UTF8_DATA' : 'UNSPECIFIED_BYTES',
    }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData: correlationData.toString('base64') }),
    ...(userProperties !== undefined && {
      userProperties: Object.entries(userProperties).flatMap(([name, value]) =>
        [value].flat().map((one) => Object.fromEntries([[name, one]])),
      ),
    }),
    qos,
    retain,
    dup,
  };
}

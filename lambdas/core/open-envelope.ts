import { createHash } from 'node:crypto';
import { type ClientEvent, parseClientEvent } from './client-event.ts';
import { type Envelope, NOT_MQTT } from './envelope.ts';
import { NeverRetry } from './errors.ts';
import { isClientEvent } from './event-type.ts';
import { MqttRecord } from './record.ts';

/** The records of an envelope. */
export interface OpenedEnvelope {
  /** For a client event, the envelope as if its client had published it. */
  readonly envelope: Envelope;
  /** One record; for a client's subscription, one for each topic filter. */
  readonly records: readonly MqttRecord[];
}

/**
 * Makes the records of an envelope. The id of a client event is a hash of its content, so that an event that AWS IoT Core
 * repeats keeps its id. A session may subscribe twice, so the hash of a subscription includes its time.
 *
 * @throws NeverRetry INVALID_PAYLOAD for a client event with an invalid payload, or one that a client published itself: by Basic
 * Ingest (`$aws/rules/<rule>/$aws/events/…`) it could name any other client.
 */
export function openEnvelope(given: Envelope): OpenedEnvelope {
  if (!isClientEvent(given.kind)) return { envelope: given, records: [new MqttRecord(given)] };
  if (given.clientid !== undefined && given.clientid.toLowerCase() !== NOT_MQTT)
    throw new NeverRetry('INVALID_PAYLOAD', `a client published this ${given.kind} event, not AWS IoT Core`);
  const event = parseClientEvent(new MqttRecord(given).text, given.kind);
  const envelope = envelopeOfClient(given, event);
  const { topics } = event;
  if (topics === undefined) return { envelope, records: [new MqttRecord(envelope, event)] };
  return { envelope, records: topics.map((topic) => new MqttRecord({ ...envelope, topic }, event)) };
}

function envelopeOfClient(given: Envelope, event: ClientEvent): Envelope {
  const { clientId, sessionIdentifier, versionNumber, principalIdentifier, ipAddress, topics, timestamp } = event;
  const { principal: _, sourceip: __, ...rest } = given;
  const identity = [given.kind, clientId, sessionIdentifier, versionNumber, ...(topics ? [timestamp, topics] : [])];
  return {
    ...rest,
    id: createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32),
    clientid: clientId,
    ...(principalIdentifier !== undefined && { principal: principalIdentifier }),
    ...(ipAddress !== undefined && { sourceip: ipAddress }),
    ...(timestamp !== undefined && { timestamp }),
  };
}

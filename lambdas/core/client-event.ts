import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Envelope } from './envelope.ts';
import { NeverRetry } from './errors.ts';
import { isClientEvent } from './event-type.ts';
import { MqttRecord } from './record.ts';

const clientEvent = z.object({
  clientId: z.string(),
  timestamp: z.number().optional(),
  sessionIdentifier: z.string().optional(),
  principalIdentifier: z.string().optional(),
  versionNumber: z.number().optional(),
  ipAddress: z.string().optional(),
  disconnectReason: z.string().optional(),
  topics: z.array(z.string()).optional(),
});

/** A client event as AWS IoT Core tells it (AWS IoT Core, "Lifecycle events"). */
export type ClientEvent = z.infer<typeof clientEvent>;

/** The records of an envelope. */
export interface OpenedEnvelope {
  /** For a client event, the envelope as if its client had published it. */
  readonly envelope: Envelope;
  /** One record; for a client's subscription, one for each topic filter. */
  readonly records: readonly MqttRecord[];
}

/**
 * Makes records of an envelope. A client event gets an id that is made from what it says, so that one that AWS IoT Core
 * repeats has the same; a session may subscribe twice, so for subscriptions the time is part of that.
 *
 * @throws NeverRetry INVALID_PAYLOAD for a client event that is none.
 */
export function openEnvelope(given: Envelope): OpenedEnvelope {
  if (!isClientEvent(given.kind)) return { envelope: given, records: [new MqttRecord(given)] };
  const event = read(given);
  const envelope = ofClient(given, event);
  const { topics } = event;
  if (topics === undefined) return { envelope, records: [new MqttRecord(envelope, event)] };
  return { envelope, records: topics.map((topic) => new MqttRecord({ ...envelope, topic }, event)) };
}

function read(envelope: Envelope): ClientEvent {
  const found = clientEvent.safeParse(parsed(new MqttRecord(envelope).text));
  if (found.success) return found.data;
  throw new NeverRetry('INVALID_PAYLOAD', `it is no event of AWS IoT Core of the kind ${envelope.kind}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function ofClient(given: Envelope, event: ClientEvent): Envelope {
  const { clientId, sessionIdentifier, versionNumber, principalIdentifier, ipAddress, topics, timestamp } = event;
  const { principal: _, sourceip: __, ...rest } = given;
  const said = [given.kind, clientId, sessionIdentifier, versionNumber, ...(topics ? [timestamp, topics] : [])];
  return {
    ...rest,
    id: createHash('sha256').update(JSON.stringify(said)).digest('hex').slice(0, 32),
    clientid: clientId,
    ...(principalIdentifier !== undefined && { principal: principalIdentifier }),
    ...(ipAddress !== undefined && { sourceip: ipAddress }),
    ...(timestamp !== undefined && { timestamp }),
  };
}

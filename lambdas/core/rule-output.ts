import type { ClientEvent } from './client-event.ts';
import { flags, qos, type Reading, username } from './event.ts';
import { CLIENT_EVENT_TYPES } from './event-type.ts';
import type { MqttRecord, UserProperties } from './record.ts';

/** Ask a scope for its payload as bytes, or as the value that `${payload.x}` reads; plain objects have neither. */
export const PAYLOAD_BYTES: unique symbol = Symbol('payload bytes');
export const PAYLOAD_JSON: unique symbol = Symbol('payload JSON');

/**
 * A record under the names that EMQX's rule engine gives to `message.publish`: the scope of `${…}` templates, and, as JSON,
 * what a blank template forwards (rows A23, C27, E16).
 */
export interface RuleOutput {
  readonly event: string;
  readonly id: string;
  readonly clientid: string | null;
  readonly username: string | null;
  /** Certificate id, or IAM role and session: IoT Core's own idea of who published. */
  readonly principal: string | null;
  readonly topic: string;
  readonly qos: number | null;
  readonly flags: { readonly retain: boolean | null; readonly dup: boolean | null };
  /** Milliseconds since 1970; IoT Core tells one time only, so both are the same. */
  readonly timestamp: number;
  readonly publish_received_at: number;
  readonly peerhost: string | null;
  /** The original text; base64, with `payload_encoding` beside it, when that is not UTF-8. */
  readonly payload: string;
  readonly payload_encoding?: 'base64';
  readonly pub_props: PublishProperties;
  readonly [PAYLOAD_BYTES]: Uint8Array;
  /** @throws NeverRetry INVALID_PAYLOAD */
  readonly [PAYLOAD_JSON]: unknown;
}

/**
 * What a client did beside publishing, under EMQX's names (rows A27, B11–B14); the last two are AWS IoT Core's own: a
 * connection and its end share them, and the later connection has the higher version.
 */
export interface ClientRuleOutput {
  /** `client.connected`, `client.disconnected`, `session.subscribed` or `session.unsubscribed`. */
  readonly event: string;
  readonly id: string;
  readonly clientid: string | null;
  readonly username: string | null;
  readonly principal: string | null;
  /** Of subscriptions: the topic filter. */
  readonly topic?: string;
  /** Of subscriptions: AWS IoT Core doesn't tell it. */
  readonly qos?: null;
  /** Of a disconnection, as AWS IoT Core has it, such as `CLIENT_INITIATED_DISCONNECT`. */
  readonly reason?: string;
  readonly peerhost: string | null;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly connected_at?: number;
  readonly disconnected_at?: number;
  readonly session_identifier: string | null;
  readonly version_number: number | null;
}

/** MQTT 5 properties under their names in EMQX. */
export interface PublishProperties {
  readonly 'Payload-Format-Indicator'?: 1;
  readonly 'Content-Type'?: string;
  readonly 'Response-Topic'?: string;
  /** base64. */
  readonly 'Correlation-Data'?: string;
  readonly 'User-Property': UserProperties;
}

/** The rule output of one record, on its own. */
export function toRuleOutput(record: MqttRecord, reading: Reading): RuleOutput | ClientRuleOutput {
  return ruleOutputView(reading)(record);
}

/** Shows one record after another as rule output, through a single object, as `eventView` does. */
export function ruleOutputView({ defaults }: Reading): (record: MqttRecord) => RuleOutput | ClientRuleOutput {
  let record: MqttRecord;
  const output: RuleOutput = {
    get event() {
      return eventName(record.envelope.kind);
    },
    get id() {
      return record.envelope.id;
    },
    get clientid() {
      return record.envelope.clientid ?? null;
    },
    get username() {
      return username(record, defaults);
    },
    get principal() {
      return record.envelope.principal ?? null;
    },
    get topic() {
      return record.envelope.topic;
    },
    get qos() {
      return qos(record, defaults);
    },
    get flags() {
      return flags(record, defaults);
    },
    get timestamp() {
      return record.envelope.timestamp;
    },
    get publish_received_at() {
      return record.envelope.timestamp;
    },
    get peerhost() {
      return record.envelope.sourceip ?? null;
    },
    get payload() {
      return record.isText ? record.text : record.bytes.toString('base64');
    },
    get payload_encoding() {
      return record.isText ? (undefined as never) : ('base64' as const);
    },
    get pub_props() {
      return publishProperties(record);
    },
    get [PAYLOAD_BYTES]() {
      return record.bytes;
    },
    get [PAYLOAD_JSON]() {
      return record.json;
    },
  };
  return (next) => {
    record = next;
    return next.clientEvent === undefined ? output : clientRuleOutput(next, next.clientEvent, defaults);
  };
}

function clientRuleOutput(record: MqttRecord, told: ClientEvent, defaults: Reading['defaults']): ClientRuleOutput {
  const { kind, id, topic, clientid, principal, sourceip, timestamp } = record.envelope;
  const { sessionIdentifier, versionNumber, disconnectReason } = told;
  return {
    event: eventName(kind),
    id,
    clientid: clientid ?? null,
    username: username(record, defaults),
    principal: principal ?? null,
    ...(told.topics !== undefined && { topic, qos: null }),
    ...(disconnectReason !== undefined && { reason: disconnectReason }),
    peerhost: sourceip ?? null,
    timestamp,
    ...(kind === CLIENT_EVENT_TYPES.connected && { connected_at: timestamp }),
    ...(kind === CLIENT_EVENT_TYPES.disconnected && { disconnected_at: timestamp }),
    session_identifier: sessionIdentifier ?? null,
    version_number: versionNumber ?? null,
  };
}

function eventName(kind: string): string {
  return kind.replace(/^mqtt\./, '');
}

function publishProperties({ envelope, userProperties }: MqttRecord): PublishProperties {
  return {
    // IoT Core says UNSPECIFIED_BYTES also where the publisher said nothing.
    ...(envelope.formatIndicator === 'UTF8_DATA' && { 'Payload-Format-Indicator': 1 }),
    ...(envelope.contentType !== undefined && { 'Content-Type': envelope.contentType }),
    ...(envelope.responseTopic !== undefined && { 'Response-Topic': envelope.responseTopic }),
    ...(envelope.correlationData !== undefined && { 'Correlation-Data': envelope.correlationData }),
    'User-Property': userProperties,
  };
}

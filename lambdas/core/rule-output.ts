import type { ClientEvent } from './client-event.ts';
import { flags, qos, type ReadOptions, username } from './event.ts';
import { CLIENT_EVENT_TYPES } from './event-type.ts';
import type { MqttRecord, UserProperties } from './record.ts';

/** Key of a scope's payload as bytes. Plain objects do not have it. */
export const PAYLOAD_BYTES: unique symbol = Symbol('payload bytes');
/** Key of a scope's payload as the JSON value that `${payload.x}` reads. Plain objects do not have it. */
export const PAYLOAD_JSON: unique symbol = Symbol('payload JSON');

/**
 * A record under the names of `message.publish` in EMQX's rule engine. It is the scope of `${…}` templates, and a blank
 * template forwards its JSON.
 */
export interface RuleOutput {
  readonly event: string;
  readonly id: string;
  readonly clientid: string | null;
  readonly username: string | null;
  /** Certificate id, or IAM role and session, of the publisher in AWS IoT Core. */
  readonly principal: string | null;
  readonly topic: string;
  readonly qos: number | null;
  readonly flags: { readonly retain: boolean | null; readonly dup: boolean | null };
  /** Milliseconds since 1970. Equal to `publish_received_at`, because AWS IoT Core reports one time only. */
  readonly timestamp: number;
  readonly publish_received_at: number;
  readonly peerhost: string | null;
  /** The payload's text. Its base64, with `payload_encoding`, if it is not UTF-8 or the source's `dataFormat` is `binary`. */
  readonly payload: string;
  readonly payload_encoding?: 'base64';
  readonly pub_props: PublishProperties;
  readonly [PAYLOAD_BYTES]: Uint8Array;
  /** @throws NeverRetry INVALID_PAYLOAD for a payload that is not JSON. */
  readonly [PAYLOAD_JSON]: unknown;
}

/**
 * A client event under EMQX's names. `session_identifier` and `version_number` are AWS IoT Core's: the connected and
 * disconnected events of a connection share them, and a later connection has a higher version.
 */
export interface ClientRuleOutput {
  /** `client.connected`, `client.disconnected`, `session.subscribed` or `session.unsubscribed`. */
  readonly event: string;
  readonly id: string;
  readonly clientid: string | null;
  readonly username: string | null;
  readonly principal: string | null;
  /** The topic filter of a subscription. Absent for other events. */
  readonly topic?: string;
  /** Null for a subscription, because AWS IoT Core does not report it. Absent for other events. */
  readonly qos?: null;
  /** Why a connection ended, in the words of AWS IoT Core, such as `CLIENT_INITIATED_DISCONNECT`. */
  readonly reason?: string;
  readonly peerhost: string | null;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly connected_at?: number;
  readonly disconnected_at?: number;
  readonly session_identifier: string | null;
  readonly version_number: number | null;
}

/** MQTT 5 properties under EMQX's names. */
export interface PublishProperties {
  readonly 'Payload-Format-Indicator'?: 1;
  readonly 'Content-Type'?: string;
  readonly 'Response-Topic'?: string;
  /** base64. */
  readonly 'Correlation-Data'?: string;
  readonly 'User-Property': UserProperties;
}

/** Makes the rule output of one record. */
export function toRuleOutput(record: MqttRecord, options: ReadOptions): RuleOutput | ClientRuleOutput {
  return ruleOutputView(options)(record);
}

/** Makes a function that shows records as rule output through one object, as `eventView` does for events. */
export function ruleOutputView({
  dataFormat,
  defaults,
}: ReadOptions): (record: MqttRecord) => RuleOutput | ClientRuleOutput {
  let record: MqttRecord;
  // Whether binary bytes are UTF-8 by chance must not decide how they are written.
  const isEncoded = () => dataFormat === 'binary' || !record.isText;
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
      return isEncoded() ? record.bytes.toString('base64') : record.text;
    },
    get payload_encoding() {
      return isEncoded() ? ('base64' as const) : (undefined as never);
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

function clientRuleOutput(
  record: MqttRecord,
  clientEvent: ClientEvent,
  defaults: ReadOptions['defaults'],
): ClientRuleOutput {
  const { kind, id, topic, clientid, principal, sourceip, timestamp } = record.envelope;
  const { sessionIdentifier, versionNumber, disconnectReason } = clientEvent;
  return {
    event: eventName(kind),
    id,
    clientid: clientid ?? null,
    username: username(record, defaults),
    principal: principal ?? null,
    ...(clientEvent.topics !== undefined && { topic, qos: null }),
    ...(disconnectReason !== undefined && { reason: disconnectReason }),
    peerhost: sourceip ?? null,
    timestamp,
    ...(kind === CLIENT_EVENT_TYPES.connected && { connected_at: timestamp }),
    ...(kind === CLIENT_EVENT_TYPES.disconnected && { disconnected_at: timestamp }),
    session_identifier: sessionIdentifier ?? null,
    version_number: versionNumber ?? null,
  };
}

function eventName(type: string): string {
  return type.replace(/^mqtt\./, '');
}

function publishProperties({ envelope, userProperties }: MqttRecord): PublishProperties {
  return {
    // AWS IoT Core reports UNSPECIFIED_BYTES also for messages without a payload format indicator.
    ...(envelope.formatIndicator === 'UTF8_DATA' && { 'Payload-Format-Indicator': 1 }),
    ...(envelope.contentType !== undefined && { 'Content-Type': envelope.contentType }),
    ...(envelope.responseTopic !== undefined && { 'Response-Topic': envelope.responseTopic }),
    ...(envelope.correlationData !== undefined && { 'Correlation-Data': envelope.correlationData }),
    'User-Property': userProperties,
  };
}

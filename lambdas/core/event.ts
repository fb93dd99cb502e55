import type { ClientEvent } from './client-event.ts';
import type { MqttRecord, UserProperties } from './record.ts';

/** How the event's `data.body` represents the payload: its JSON value, its UTF-8 text, or its base64. */
export type DataFormat = 'json' | 'text' | 'binary';

/** Values that AWS IoT Core does not know of a publisher, for messages without an MQTT 5 user property of the same name. */
export interface PublisherDefaults {
  readonly username?: string | undefined;
  readonly qos?: 0 | 1 | 2 | undefined;
  readonly retain?: boolean | undefined;
}

/** The options of a task's source that decide how its records read. */
export interface ReadOptions {
  /** The source's type, which is the event's `source`. */
  readonly type: string;
  readonly dataFormat: DataFormat;
  readonly defaults: PublisherDefaults;
}

/** A record as event patterns and JSONPath see it: CloudEvents 1.0, with `data` as in ApsaraMQ for MQTT. */
export interface MqttEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly type: string;
  readonly source: string;
  /** The topic. */
  readonly subject: string;
  /** RFC 3339, milliseconds, UTC. */
  readonly time: string;
  readonly datacontenttype: string;
  readonly data: EventData;
}

export interface EventData {
  readonly topic: string;
  readonly clientid: string | null;
  readonly username: string | null;
  readonly qos: number | null;
  readonly flags: { readonly retain: boolean | null; readonly dup: boolean | null };
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly peerhost: string | null;
  /** The payload by `dataFormat`. @throws NeverRetry INVALID_PAYLOAD for a payload that is not in this format. */
  readonly body: unknown;
  readonly userProperties: UserProperties;
  readonly systemProperties: SystemProperties;
}

/** `data` of a client event. `topic` is the topic filter of a subscription; for other client events, the topic of the event. */
export interface ClientEventData extends EventData {
  /** Identifies a connection of the client: its connected and disconnected events share it. */
  readonly sessionIdentifier: string | null;
  /** Grows with each connection of the client. */
  readonly versionNumber: number | null;
  /** Why the connection ended, such as `CLIENT_INITIATED_DISCONNECT` (AWS IoT Core, "Lifecycle events"). */
  readonly reason?: string;
}

/** `KEYS` and `TAGS` are the MQTT 5 user properties of these names. `KEYS` defaults to the event's id. */
export interface SystemProperties {
  readonly KEYS: string | readonly string[];
  readonly TAGS?: string | readonly string[];
  readonly contentType?: string;
  readonly payloadFormatIndicator?: string;
  readonly responseTopic?: string;
  readonly correlationData?: string;
  /** `base64` for a payload that is not UTF-8, which templates write as base64. */
  readonly payloadEncoding?: 'base64';
}

const CONTENT_TYPE = { json: 'application/json', text: 'text/plain', binary: 'application/octet-stream' } as const;

/** Makes the event of one record. */
export function toEvent(record: MqttRecord, options: ReadOptions): MqttEvent {
  return eventView(options)(record);
}

/**
 * Makes a function that shows records as events through one object. An event is valid until the next call. Each field is
 * computed when it is read, so a pattern over topics never parses a payload. One object serves all records because creating
 * an object with getters for each record doubles the worker's cost per record.
 */
export function eventView({ type, dataFormat, defaults }: ReadOptions): (record: MqttRecord) => MqttEvent {
  let record: MqttRecord;
  const data: EventData = {
    get topic() {
      return record.envelope.topic;
    },
    get clientid() {
      return record.envelope.clientid ?? null;
    },
    get username() {
      return username(record, defaults);
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
    get peerhost() {
      return record.envelope.sourceip ?? null;
    },
    get body() {
      return readBody(record, dataFormat);
    },
    get userProperties() {
      return record.userProperties;
    },
    get systemProperties() {
      return systemProperties(record);
    },
  };
  const event: MqttEvent = {
    specversion: '1.0',
    get id() {
      return record.envelope.id;
    },
    get type() {
      return record.envelope.kind;
    },
    source: type,
    get subject() {
      return record.envelope.topic;
    },
    get time() {
      return new Date(record.envelope.timestamp).toISOString();
    },
    datacontenttype: CONTENT_TYPE[dataFormat],
    data,
  };
  return (next) => {
    record = next;
    return next.clientEvent === undefined ? event : clientEventOf(event, next.clientEvent, record.json);
  };
}

// Client events are rare, so each gets an object.
function clientEventOf(event: MqttEvent, clientEvent: ClientEvent, body: unknown): MqttEvent {
  const { sessionIdentifier = null, versionNumber = null, disconnectReason } = clientEvent;
  const reason = disconnectReason === undefined ? {} : { reason: disconnectReason };
  const { topic, clientid, username, qos, flags, timestamp, peerhost, userProperties, systemProperties } = event.data;
  const published = { topic, clientid, username, qos, flags, timestamp, peerhost, userProperties, systemProperties };
  // The body is JSON for every data format.
  const data: ClientEventData = { ...published, body, sessionIdentifier, versionNumber, ...reason };
  return { ...event, datacontenttype: CONTENT_TYPE.json, data };
}

/** Returns the payload by data format. @throws NeverRetry INVALID_PAYLOAD for a payload that is not in this format. */
export function readBody(record: MqttRecord, dataFormat: DataFormat): unknown {
  if (dataFormat === 'json') return record.json;
  return dataFormat === 'text' ? record.text : record.bytes.toString('base64');
}

// How a message was published: the value of the MQTT packet, else the user property of that name, else the default.

export function username({ userProperties }: MqttRecord, defaults: PublisherDefaults): string | null {
  return firstOf(userProperties['username']) ?? defaults.username ?? null;
}

export function qos({ envelope, userProperties }: MqttRecord, defaults: PublisherDefaults): number | null {
  return envelope.qos ?? asQos(firstOf(userProperties['qos'])) ?? defaults.qos ?? null;
}

export function flags({ envelope, userProperties }: MqttRecord, defaults: PublisherDefaults): EventData['flags'] {
  return {
    retain: envelope.retain ?? asBoolean(firstOf(userProperties['retain'])) ?? defaults.retain ?? null,
    dup: envelope.dup ?? null,
  };
}

function systemProperties({ envelope, userProperties, isText }: MqttRecord): SystemProperties {
  return {
    KEYS: userProperties['KEYS'] ?? envelope.id,
    ...(userProperties['TAGS'] !== undefined && { TAGS: userProperties['TAGS'] }),
    ...(envelope.contentType !== undefined && { contentType: envelope.contentType }),
    ...(envelope.formatIndicator !== undefined && { payloadFormatIndicator: envelope.formatIndicator }),
    ...(envelope.responseTopic !== undefined && { responseTopic: envelope.responseTopic }),
    ...(envelope.correlationData !== undefined && { correlationData: envelope.correlationData }),
    ...(!isText && { payloadEncoding: 'base64' as const }),
  };
}

function firstOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

function asQos(text: string | undefined): number | undefined {
  return text === '0' || text === '1' || text === '2' ? Number(text) : undefined;
}

function asBoolean(text: string | undefined): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

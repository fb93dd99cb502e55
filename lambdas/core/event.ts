import type { ClientEvent } from './client-event.ts';
import type { MqttRecord, UserProperties } from './record.ts';

/** How `data.body` of the event is made from the payload: its JSON value, its UTF-8 text, or its base64 (requirement D6). */
export type DataFormat = 'json' | 'text' | 'binary';

/** What IoT Core cannot know of a publisher, used where no MQTT 5 user property of that name tells (rows B15, C25, C26). */
export interface PublisherDefaults {
  readonly username?: string | undefined;
  readonly qos?: 0 | 1 | 2 | undefined;
  readonly retain?: boolean | undefined;
}

/** What the task's source says about reading its records. */
export interface Reading {
  /** The event's `source`: which kind of source the task has. */
  readonly type: string;
  readonly dataFormat: DataFormat;
  readonly defaults: PublisherDefaults;
}

/** A message as event patterns and JSONPath see it: CloudEvents 1.0, `data` as ApsaraMQ for MQTT has it (row D17). */
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
  /** By `dataFormat`. @throws NeverRetry INVALID_PAYLOAD when the payload has no such value. */
  readonly body: unknown;
  readonly userProperties: UserProperties;
  readonly systemProperties: SystemProperties;
}

/** `data` of what a client did beside publishing: `topic` is the topic filter of a subscription, else the event's own topic. */
export interface ClientEventData extends EventData {
  /** Tells connections of a client apart, and orders them; a connection and its end share it. */
  readonly sessionIdentifier: string | null;
  readonly versionNumber: number | null;
  /** Why a connection ended, such as `CLIENT_INITIATED_DISCONNECT` (AWS IoT Core, "Lifecycle events"). */
  readonly reason?: string;
}

/** `KEYS` and `TAGS` are the user properties of those names; `KEYS` falls back to the event's id. */
export interface SystemProperties {
  readonly KEYS: string | readonly string[];
  readonly TAGS?: string | readonly string[];
  readonly contentType?: string;
  readonly payloadFormatIndicator?: string;
  readonly responseTopic?: string;
  readonly correlationData?: string;
}

const CONTENT_TYPE = { json: 'application/json', text: 'text/plain', binary: 'application/octet-stream' } as const;

/** The event of one record, on its own. */
export function toEvent(record: MqttRecord, reading: Reading): MqttEvent {
  return eventView(reading)(record);
}

/**
 * Shows one record after another as events, through a single object: each call turns it to the next record, so none is kept
 * beyond that. A field is made when something asks for it: a pattern over topics never parses a payload, and an object with
 * getters of its own for each record costs about as much as all the rest together.
 */
export function eventView({ type, dataFormat, defaults }: Reading): (record: MqttRecord) => MqttEvent {
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

// There are few of these, so each is an object of its own.
function clientEventOf(event: MqttEvent, told: ClientEvent, body: unknown): MqttEvent {
  const { sessionIdentifier = null, versionNumber = null, disconnectReason } = told;
  const reason = disconnectReason === undefined ? {} : { reason: disconnectReason };
  const { topic, clientid, username, qos, flags, timestamp, peerhost, userProperties, systemProperties } = event.data;
  const published = { topic, clientid, username, qos, flags, timestamp, peerhost, userProperties, systemProperties };
  // The body is JSON, whatever the data format of messages.
  const data: ClientEventData = { ...published, body, sessionIdentifier, versionNumber, ...reason };
  return { ...event, datacontenttype: CONTENT_TYPE.json, data };
}

/** The payload's value by data format. @throws NeverRetry INVALID_PAYLOAD */
export function readBody(record: MqttRecord, dataFormat: DataFormat): unknown {
  if (dataFormat === 'json') return record.json;
  return dataFormat === 'text' ? record.text : record.bytes.toString('base64');
}

// What is known of how a message was published: the packet itself, else a user property of that name, else the default.

export function username({ userProperties }: MqttRecord, defaults: PublisherDefaults): string | null {
  return one(userProperties['username']) ?? defaults.username ?? null;
}

export function qos({ envelope, userProperties }: MqttRecord, defaults: PublisherDefaults): number | null {
  return envelope.qos ?? asQos(one(userProperties['qos'])) ?? defaults.qos ?? null;
}

export function flags({ envelope, userProperties }: MqttRecord, defaults: PublisherDefaults): EventData['flags'] {
  return {
    retain: envelope.retain ?? asBoolean(one(userProperties['retain'])) ?? defaults.retain ?? null,
    dup: envelope.dup ?? null,
  };
}

function systemProperties({ envelope, userProperties }: MqttRecord): SystemProperties {
  return {
    KEYS: userProperties['KEYS'] ?? envelope.id,
    ...(userProperties['TAGS'] !== undefined && { TAGS: userProperties['TAGS'] }),
    ...(envelope.contentType !== undefined && { contentType: envelope.contentType }),
    ...(envelope.formatIndicator !== undefined && { payloadFormatIndicator: envelope.formatIndicator }),
    ...(envelope.responseTopic !== undefined && { responseTopic: envelope.responseTopic }),
    ...(envelope.correlationData !== undefined && { correlationData: envelope.correlationData }),
  };
}

function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

function asQos(text: string | undefined): number | undefined {
  return text === '0' || text === '1' || text === '2' ? Number(text) : undefined;
}

function asBoolean(text: string | undefined): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

import type { MqttRecord } from './record.ts';

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
  /** A repeated key holds the array of its values. */
  readonly userProperties: UserProperties;
  readonly systemProperties: SystemProperties;
}

export type UserProperties = { readonly [key: string]: string | readonly string[] };

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

/** Builds the event. The body is read only when something asks for it, so a pattern over topics never parses a payload. */
export function toEvent(record: MqttRecord, reading: Reading): MqttEvent {
  const { envelope } = record;
  const userProperties = collectUserProperties(record);
  const { username, qos, retain, dup } = publisher(record, userProperties, reading.defaults);
  return {
    specversion: '1.0',
    id: envelope.id,
    type: envelope.kind,
    source: reading.type,
    subject: envelope.topic,
    time: new Date(envelope.timestamp).toISOString(),
    datacontenttype: CONTENT_TYPE[reading.dataFormat],
    data: {
      topic: envelope.topic,
      clientid: envelope.clientid ?? null,
      username,
      qos,
      flags: { retain, dup },
      timestamp: envelope.timestamp,
      peerhost: envelope.sourceip ?? null,
      get body() {
        return readBody(record, reading.dataFormat);
      },
      userProperties,
      systemProperties: systemProperties(record, userProperties),
    },
  };
}

/** The payload's value by data format. @throws NeverRetry INVALID_PAYLOAD */
export function readBody(record: MqttRecord, dataFormat: DataFormat): unknown {
  if (dataFormat === 'json') return record.json;
  return dataFormat === 'text' ? record.text : record.bytes.toString('base64');
}

/** User properties by name, in the order of their first appearance; names such as `__proto__` are ordinary. */
export function collectUserProperties({ envelope }: MqttRecord): UserProperties {
  const found: Record<string, string | string[]> = Object.create(null);
  for (const pair of envelope.userProperties ?? []) {
    for (const key of Object.keys(pair)) {
      const value = pair[key]!;
      const before = found[key];
      if (before === undefined) found[key] = value;
      else if (Array.isArray(before)) before.push(value);
      else found[key] = [before, value];
    }
  }
  return found;
}

export interface Publisher {
  readonly username: string | null;
  readonly qos: number | null;
  readonly retain: boolean | null;
  readonly dup: boolean | null;
}

/** What is known of how the message was published: the packet itself, else a user property of that name, else the default. */
export function publisher(
  { envelope }: MqttRecord,
  properties: UserProperties,
  defaults: PublisherDefaults,
): Publisher {
  return {
    username: one(properties['username']) ?? defaults.username ?? null,
    qos: envelope.qos ?? asQos(one(properties['qos'])) ?? defaults.qos ?? null,
    retain: envelope.retain ?? asBoolean(one(properties['retain'])) ?? defaults.retain ?? null,
    dup: envelope.dup ?? null,
  };
}

function systemProperties({ envelope }: MqttRecord, properties: UserProperties): SystemProperties {
  return {
    KEYS: properties['KEYS'] ?? envelope.id,
    ...(properties['TAGS'] !== undefined && { TAGS: properties['TAGS'] }),
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

import { isUtf8 } from 'node:buffer';
import type { ClientEvent } from './client-event.ts';
import type { Envelope } from './envelope.ts';
import { NeverRetry } from './errors.ts';
import { parseJson } from './json.ts';
import { jsonErrorText } from './json-error.ts';

/** MQTT 5 user properties by name; a repeated key holds the array of its values. */
export type UserProperties = { readonly [key: string]: string | readonly string[] };

/**
 * A record on its way through a task's steps: an immutable value of an envelope and its payload. The payload is decoded and
 * parsed only when a step reads it.
 */
export class MqttRecord {
  readonly envelope: Envelope;
  /** The client event that the payload holds; undefined for a published message. */
  readonly clientEvent: ClientEvent | undefined;
  /** The record's id in dead letters: the envelope's, and the place among its siblings where a step made several. */
  readonly id: string;
  /** Index of the route that the record takes; undefined before the route step. */
  readonly route: number | undefined;
  // Copies of a record share what was decoded once.
  readonly #payloadOf: MqttRecord | undefined;
  #bytes: Buffer | undefined;
  #text: string | undefined;
  #json: { value: unknown } | undefined;
  #userProperties: UserProperties | undefined;

  constructor(envelope: Envelope, clientEvent?: ClientEvent, copy?: RecordCopy) {
    this.envelope = envelope;
    this.clientEvent = clientEvent;
    if (copy === undefined) {
      this.id = envelope.id;
      this.route = undefined;
      this.#payloadOf = undefined;
    } else {
      this.id = copy.id;
      this.route = copy.route;
      this.#payloadOf = copy.payloadOf;
    }
  }

  /** The record on its way to a route: the same event, so its templates see the same id. */
  routed(route: number): MqttRecord {
    return new MqttRecord(this.envelope, this.clientEvent, { id: this.id, route, payloadOf: this });
  }

  /** The nth of several records that a step made, `<id>#<n>`; on several routes it stays one event. */
  child(n: number): MqttRecord {
    const id = `${this.id}#${n}`;
    const envelope = this.route === undefined ? { ...this.envelope, id } : this.envelope;
    return new MqttRecord(envelope, this.clientEvent, { id, route: this.route, payloadOf: this });
  }

  /** The payload as it was published. @throws NeverRetry INVALID_PAYLOAD when the envelope holds no base64. */
  get bytes(): Buffer {
    if (this.#payloadOf !== undefined) return this.#payloadOf.bytes;
    if (this.#bytes === undefined) {
      const base64 = this.envelope.payload;
      const bytes = Buffer.from(base64, 'base64');
      // Buffer skips what is not base64; a payload cut short in silence would be delivered as if it were whole.
      const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
      if (base64.length % 4 === 1 || bytes.length !== Math.floor((base64.length * 3) / 4) - padding) {
        throw new NeverRetry('INVALID_PAYLOAD', 'the envelope’s payload is not base64');
      }
      this.#bytes = bytes;
    }
    return this.#bytes;
  }

  get isText(): boolean {
    if (this.#payloadOf !== undefined) return this.#payloadOf.isText;
    return this.#text !== undefined || isUtf8(this.bytes);
  }

  /** The payload as text. @throws NeverRetry INVALID_PAYLOAD when it is not UTF-8. */
  get text(): string {
    if (this.#payloadOf !== undefined) return this.#payloadOf.text;
    if (this.#text === undefined) {
      if (!isUtf8(this.bytes)) throw new NeverRetry('INVALID_PAYLOAD', 'the payload is not UTF-8');
      this.#text = this.bytes.toString('utf8');
    }
    return this.#text;
  }

  /** The payload's JSON value. @throws NeverRetry INVALID_PAYLOAD when it has none. */
  get json(): unknown {
    if (this.#payloadOf !== undefined) return this.#payloadOf.json;
    if (this.#json === undefined) {
      try {
        this.#json = { value: parseJson(this.text) };
      } catch (cause) {
        if (cause instanceof NeverRetry) throw cause;
        throw new NeverRetry('INVALID_PAYLOAD', `the payload is not JSON: ${jsonErrorText(this.text)}`, { cause });
      }
    }
    return this.#json.value;
  }

  /** In the order of their first appearance. */
  get userProperties(): UserProperties {
    if (this.#payloadOf !== undefined) return this.#payloadOf.userProperties;
    this.#userProperties ??= collect(this.envelope.userProperties);
    return this.#userProperties;
  }
}

interface RecordCopy {
  readonly id: string;
  readonly route: number | undefined;
  readonly payloadOf: MqttRecord;
}

// Names such as `__proto__` are ordinary.
function collect(pairs: Envelope['userProperties'] = []): UserProperties {
  const found: Record<string, string | string[]> = Object.create(null);
  for (const pair of pairs) {
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

import { isUtf8 } from 'node:buffer';
import type { ClientEvent } from './client-event.ts';
import type { Envelope } from './envelope.ts';
import { NeverRetry } from './errors.ts';
import { parseJson } from './json.ts';
import { jsonErrorText } from './json-error.ts';

/** MQTT 5 user properties by key. A repeated key holds the array of its values. */
export type UserProperties = { readonly [key: string]: string | readonly string[] };

/**
 * A record that passes through a task's steps: an immutable envelope with its payload. The payload is decoded and parsed
 * when a step first reads it.
 */
export class MqttRecord {
  readonly envelope: Envelope;
  /** The client event that the payload holds; undefined for a published message. */
  readonly clientEvent: ClientEvent | undefined;
  /** The record's id in dead letters: the envelope's id, with `#<n>` for the nth of several records that a step made. */
  readonly id: string;
  /** Index of the route that the record takes; undefined before the route step. */
  readonly route: number | undefined;
  // The record that holds the decoded payload for its copies.
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

  /** Returns the record with its route. It stays the same event, so its templates see the same id. */
  routed(route: number): MqttRecord {
    return new MqttRecord(this.envelope, this.clientEvent, { id: this.id, route, payloadOf: this });
  }

  /** Returns the nth of several records that a step made, with the id `<id>#<n>`. On several routes it stays one event. */
  child(n: number): MqttRecord {
    const id = `${this.id}#${n}`;
    const envelope = this.route === undefined ? { ...this.envelope, id } : this.envelope;
    return new MqttRecord(envelope, this.clientEvent, { id, route: this.route, payloadOf: this });
  }

  /** The payload's bytes. @throws NeverRetry INVALID_PAYLOAD when the envelope's payload is not base64. */
  get bytes(): Buffer {
    if (this.#payloadOf !== undefined) return this.#payloadOf.bytes;
    if (this.#bytes === undefined) {
      const base64 = this.envelope.payload;
      const bytes = Buffer.from(base64, 'base64');
      // Buffer ignores characters that are not base64, so it would deliver part of a payload as the whole.
      const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
      if (base64.length % 4 === 1 || bytes.length !== Math.floor((base64.length * 3) / 4) - padding) {
        throw new NeverRetry('INVALID_PAYLOAD', 'the envelope’s payload is not base64');
      }
      this.#bytes = bytes;
    }
    return this.#bytes;
  }

  /** Whether the payload is UTF-8. */
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

  /** The payload's JSON value. @throws NeverRetry INVALID_PAYLOAD when it is not JSON. */
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

  /** The user properties, in the order of each key's first appearance. */
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

// An object without a prototype, so that `__proto__` is a key like any other.
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

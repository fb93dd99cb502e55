import { isUtf8 } from 'node:buffer';
import type { ClientEvent } from './client-event.ts';
import type { Envelope } from './envelope.ts';
import { NeverRetry } from './errors.ts';
import { parseJson } from './json.ts';
import { jsonProblem } from './json-problem.ts';

/** MQTT 5 user properties by name; a repeated key holds the array of its values. */
export type UserProperties = { readonly [key: string]: string | readonly string[] };

/** A message on its way through a task: its envelope, and its payload as bytes that are decoded and parsed only when asked for. */
export class MqttRecord {
  readonly envelope: Envelope;
  /** What it tells, if it is no message but an event of a client. */
  readonly clientEvent: ClientEvent | undefined;
  #bytes: Buffer | undefined;
  #text: string | undefined;
  #json: { value: unknown } | undefined;
  #userProperties: UserProperties | undefined;

  constructor(envelope: Envelope, clientEvent?: ClientEvent) {
    this.envelope = envelope;
    this.clientEvent = clientEvent;
  }

  /** The payload as it was published. @throws NeverRetry INVALID_PAYLOAD when the envelope holds no base64. */
  get bytes(): Buffer {
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
    return this.#text !== undefined || isUtf8(this.bytes);
  }

  /** The payload as text. @throws NeverRetry INVALID_PAYLOAD when it is not UTF-8. */
  get text(): string {
    if (this.#text === undefined) {
      if (!isUtf8(this.bytes)) throw new NeverRetry('INVALID_PAYLOAD', 'the payload is not UTF-8');
      this.#text = this.bytes.toString('utf8');
    }
    return this.#text;
  }

  /** The payload's JSON value. @throws NeverRetry INVALID_PAYLOAD when it has none. */
  get json(): unknown {
    if (this.#json === undefined) {
      try {
        this.#json = { value: parseJson(this.text) };
      } catch (cause) {
        if (cause instanceof NeverRetry) throw cause;
        throw new NeverRetry('INVALID_PAYLOAD', `the payload is not JSON: ${jsonProblem(this.text)}`, { cause });
      }
    }
    return this.#json.value;
  }

  /** In the order of their first appearance. */
  get userProperties(): UserProperties {
    this.#userProperties ??= collect(this.envelope.userProperties);
    return this.#userProperties;
  }
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

import { isUtf8 } from 'node:buffer';
import { malformed } from './violation.ts';

// Broker and client may refuse noncharacters (MQTT 5, section 1.5.4). SQS refuses these two in a message, so a rule would lose it.
const NOT_IN_TEXT = /[\0\uFFFE\uFFFF]/;

/** Reads MQTT data types (MQTT 5, section 1.5) from a packet. @throws ConnectionViolation when the packet ends before a value does. */
export class Cursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** A cursor at the variable header of a complete packet. */
  static body(frame: Buffer): Cursor {
    const cursor = new Cursor(frame, 1);
    cursor.varint();
    return cursor;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 128 ** 3; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw malformed('variable byte integer');
  }

  binary(): Buffer {
    const length = this.uint16();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  string(): string {
    const bytes = this.binary();
    const text = bytes.toString('utf8');
    if (!isUtf8(bytes) || NOT_IN_TEXT.test(text))
      throw malformed('a string is not UTF-8, or contains U+0000, U+FFFE or U+FFFF');
    return text;
  }

  /** Returns a cursor over the next `length` bytes, and skips them here. */
  section(length: number): Cursor {
    const start = this.#take(length);
    return new Cursor(this.#bytes, start, start + length);
  }

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#end) throw malformed('truncated');
    this.#at = start + length;
    return start;
  }
}

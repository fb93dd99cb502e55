import { isUtf8 } from 'node:buffer';
import { malformed } from './violation.ts';

/** Reads MQTT's data types from a packet, never past its end. */
export class Cursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** At the variable header of a whole packet. */
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
    if (!isUtf8(bytes) || bytes.includes(0)) throw malformed('string that is no UTF-8 or holds U+0000');
    return bytes.toString('utf8');
  }

  /** A cursor over the next `length` bytes; this one moves behind them. */
  section(length: number): Cursor {
    const start = this.#take(length);
    return new Cursor(this.#bytes, start, start + length);
  }

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#end) throw malformed('cut short');
    this.#at = start + length;
    return start;
  }
}

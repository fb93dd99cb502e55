import { ConnectionViolation, malformed, reasonCodes } from './violation.ts';

const longestHeader = 5;

/**
 * Splits a byte stream into MQTT packets. It checks a packet's length before it buffers the packet; mqtt-packet would
 * buffer up to 256 MB.
 */
export class FrameReader {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #size = 0;
  #needed = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** The next complete packet with its fixed header. It is a copy, so that a stored message does not retain the socket's chunk. */
  next(): Buffer | undefined {
    if (this.#needed === 0) this.#needed = this.#packetLength();
    if (this.#needed === 0 || this.#size < this.#needed) return undefined;
    const bytes = this.#merged();
    const frame = Buffer.from(bytes.subarray(0, this.#needed));
    this.#chunks = bytes.length > this.#needed ? [bytes.subarray(this.#needed)] : [];
    this.#size -= this.#needed;
    this.#needed = 0;
    return frame;
  }

  /** The length of the packet with its header; 0 while the header is incomplete. */
  #packetLength(): number {
    const head = (this.#chunks[0]?.length ?? 0) < longestHeader ? this.#merged() : (this.#chunks[0] as Buffer);
    let remaining = 0;
    for (let index = 1; index < longestHeader; index += 1) {
      const byte = head[index];
      if (byte === undefined) return 0;
      remaining += (byte & 0x7f) * 128 ** (index - 1);
      if (byte < 0x80) return this.#withinLimit(1 + index + remaining);
    }
    throw malformed('remaining length');
  }

  #withinLimit(length: number): number {
    if (length <= this.#limit) return length;
    throw new ConnectionViolation(
      `packet: got ${length} bytes; expected at most ${this.#limit}`,
      reasonCodes.packetTooLarge,
    );
  }

  #merged(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }
}

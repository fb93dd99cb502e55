import { ConnectionViolation, malformed, reasonCodes } from './violation.ts';

const longestHeader = 5;

/**
 * Cuts a byte stream into MQTT packets, so that a packet's announced length is checked before its bytes are kept:
 * mqtt-packet itself would gather up to 256 MB. The reader pulls; bytes not asked for stay here.
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

  /** The next whole packet with its fixed header, as an own copy: a kept message must not pin the socket's chunk. */
  next(): Buffer | undefined {
    if (this.#needed === 0) this.#needed = this.#announced();
    if (this.#needed === 0 || this.#size < this.#needed) return undefined;
    const bytes = this.#merged();
    const frame = Buffer.from(bytes.subarray(0, this.#needed));
    this.#chunks = bytes.length > this.#needed ? [bytes.subarray(this.#needed)] : [];
    this.#size -= this.#needed;
    this.#needed = 0;
    return frame;
  }

  /** The packet's whole length from its header; 0 while the header is incomplete. */
  #announced(): number {
    const head = (this.#chunks[0]?.length ?? 0) < longestHeader ? this.#merged() : (this.#chunks[0] as Buffer);
    let remaining = 0;
    for (let index = 1; index < longestHeader; index += 1) {
      const byte = head[index];
      if (byte === undefined) return 0;
      remaining += (byte & 0x7f) * 128 ** (index - 1);
      if (byte < 0x80) return this.#allowed(1 + index + remaining);
    }
    throw malformed('remaining length');
  }

  #allowed(length: number): number {
    if (length <= this.#limit) return length;
    throw new ConnectionViolation(`packet of ${length} bytes, at most ${this.#limit}`, reasonCodes.packetTooLarge);
  }

  #merged(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }
}

import { type Packet, parser } from 'mqtt-packet';
import { malformed } from './violation.ts';

/** Parses one complete packet at a time with mqtt-packet, which takes the protocol version from the CONNECT. */
export class PacketParser {
  readonly #parser = parser();
  #parsed: Packet | undefined;
  #failure: unknown;

  constructor() {
    this.#parser.on('packet', (packet) => {
      this.#parsed = packet;
    });
    this.#parser.on('error', (error) => {
      this.#failure = error;
    });
  }

  /** @throws ConnectionViolation when the bytes are not a packet. */
  parse(frame: Buffer): Packet {
    this.#parsed = undefined;
    this.#failure = undefined;
    try {
      this.#parser.parse(frame);
    } catch (error) {
      this.#failure = error;
    }
    const packet = this.#parsed as Packet | undefined;
    if (this.#failure !== undefined || packet === undefined) throw malformed(String(this.#failure), this.#failure);
    return packet;
  }
}

/** Reads a packet identifier. mqtt-packet returns -1 for a truncated one. */
export function packetId(packet: { messageId?: number }): number {
  const { messageId } = packet;
  if (messageId === undefined || messageId < 1) throw malformed('packet identifier');
  return messageId;
}

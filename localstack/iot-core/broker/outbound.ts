import type { IPublishPacket } from 'mqtt-packet';
import type { Terms } from './connect.ts';
import { quotas } from './limits.ts';
import { packetProperties } from './properties.ts';
import { remainingExpiry } from './publication.ts';
import type { Delivery, Outlet } from './session.ts';
import type { Wire } from './wire.ts';

/** Writes a session's messages to one connection. */
export class Outbound implements Outlet {
  readonly window: number;
  readonly #wire: Wire;
  readonly #maximumPacketSize: number;
  readonly #now: () => number;

  constructor(wire: Wire, { receiveMaximum, maximumPacketSize }: Terms, now: () => number) {
    this.window = Math.min(receiveMaximum, quotas.unacknowledged);
    this.#wire = wire;
    this.#maximumPacketSize = maximumPacketSize;
    this.#now = now;
  }

  send({ publication, qos, retain }: Delivery, messageId: number, dup: boolean): boolean {
    if (qos === 0 && this.#wire.unreadBytes > quotas.unreadBytes) return false;
    const { topic, payload, properties } = publication;
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const packet: IPublishPacket = { cmd: 'publish', topic, payload: bytes, qos, retain, dup, messageId };
    if (this.#wire.protocolVersion === 5) {
      packet.properties = packetProperties(properties, remainingExpiry(publication, this.#now()));
    }
    const encoded = this.#wire.encode(packet);
    if (encoded.length > this.#maximumPacketSize) return false;
    this.#wire.write(encoded);
    return true;
  }
}

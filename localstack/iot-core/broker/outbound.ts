import type { IPublishPacket } from 'mqtt-packet';
import type { ConnectionSettings } from './connect.ts';
import { quotas } from './limits.ts';
import type { MqttSocket } from './mqtt-socket.ts';
import { packetProperties } from './properties.ts';
import { remainingExpiry } from './publication.ts';
import type { Delivery, SessionConnection } from './session.ts';

/** Sends a session's messages over one connection. */
export class Outbound implements SessionConnection {
  readonly window: number;
  readonly #socket: MqttSocket;
  readonly #maximumPacketSize: number;
  readonly #now: () => number;

  constructor(socket: MqttSocket, { receiveMaximum, maximumPacketSize }: ConnectionSettings, now: () => number) {
    this.window = Math.min(receiveMaximum, quotas.unacknowledged);
    this.#socket = socket;
    this.#maximumPacketSize = maximumPacketSize;
    this.#now = now;
  }

  send({ publication, qos, retain }: Delivery, messageId: number, dup: boolean): boolean {
    if (qos === 0 && this.#socket.unreadBytes > quotas.unreadBytes) return false;
    const { topic, payload, properties } = publication;
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const packet: IPublishPacket = { cmd: 'publish', topic, payload: bytes, qos, retain, dup, messageId };
    if (this.#socket.protocolVersion === 5) {
      packet.properties = packetProperties(properties, remainingExpiry(publication, this.#now()));
    }
    const encoded = this.#socket.encode(packet);
    if (encoded.length > this.#maximumPacketSize) return false;
    this.#socket.write(encoded);
    return true;
  }
}

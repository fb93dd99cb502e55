import type { Socket } from 'node:net';
import { generate, type Packet } from 'mqtt-packet';
import { FrameReader } from './frames.ts';
import { quotas } from './limits.ts';

export interface MqttSocketEvents {
  /** Called with a complete packet. An error that it throws goes to onFailure. */
  onFrame(frame: Buffer): void;
  onFailure(error: unknown): void;
  onClose(): void;
}

/** How long a client may take to close its side before the socket is destroyed. */
const lingerMs = 500;

/** A socket that reads and writes complete MQTT packets, and can pause reading between two of them. */
export class MqttSocket {
  protocolVersion: 4 | 5 = 4;
  readonly #socket: Socket;
  readonly #events: MqttSocketEvents;
  readonly #frames = new FrameReader(quotas.packetBytes);
  #paused = false;
  #ended = false;

  constructor(socket: Socket, events: MqttSocketEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      if (this.#ended) return;
      this.#frames.push(chunk);
      this.#pump();
    });
    socket.on('close', () => {
      this.#ended = true;
      events.onClose();
    });
    // 'close' always follows, and MQTT does not depend on the reason.
    socket.on('error', () => {});
  }

  get paused(): boolean {
    return this.#paused;
  }

  get remoteAddress(): string {
    return (this.#socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  }

  /** Bytes that the client has not read. */
  get unreadBytes(): number {
    return this.#socket.writableLength;
  }

  encode(packet: Packet): Buffer {
    return generate(packet, { protocolVersion: this.protocolVersion });
  }

  send(packet: Packet): void {
    this.write(this.encode(packet));
  }

  write(bytes: Buffer): void {
    if (!this.#ended) this.#socket.write(bytes);
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    this.#pump();
    if (!this.#paused) this.#socket.resume();
  }

  /** Sends a last packet and closes. Input is read and discarded, because unread bytes would turn the close into a reset. */
  end(last?: Packet): void {
    if (this.#ended) return;
    if (last !== undefined) this.send(last);
    this.#ended = true;
    this.#socket.end();
    this.#socket.resume();
    const linger = setTimeout(() => this.#socket.destroy(), lingerMs);
    this.#socket.once('close', () => clearTimeout(linger));
  }

  #pump(): void {
    try {
      while (!this.#paused && !this.#ended) {
        const frame = this.#frames.next();
        if (frame === undefined) return;
        this.#events.onFrame(frame);
      }
    } catch (error) {
      this.#events.onFailure(error);
    }
  }
}

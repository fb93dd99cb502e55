import { randomUUID } from 'node:crypto';
import { Fifo } from '../../fifo.ts';
import { type ParsedFilter, quotas } from './limits.ts';
import { expiresAt, type Publication } from './publication.ts';

/** A message to be delivered to one client. */
export interface Delivery {
  publication: Publication;
  qos: 0 | 1;
  retain: boolean;
  /** Takes the message back when the session ends before it is acknowledged. */
  share?: { deliver(publication: Publication): void };
}

/** The connection of a session. */
export interface SessionConnection {
  /** The most QoS 1 messages without a PUBACK. */
  readonly window: number;
  /** Sends a message; false when it exceeds the client's maximum packet size, or the client does not read. */
  send(delivery: Delivery, messageId: number, dup: boolean): boolean;
}

/** The state that outlives a connection: subscriptions and unacknowledged QoS 1 messages. */
export class Session {
  readonly id = randomUUID();
  readonly clientId: string;
  expirySeconds: number;
  /** By the filter's text, with `$share/…`. */
  readonly filters = new Map<string, ParsedFilter>();
  readonly #now: () => number;
  readonly #unacknowledged = new Map<number, Delivery>();
  readonly #awaiting = new Set<number>();
  #resend = new Fifo<[number, Delivery]>();
  #queue = new Fifo<Delivery>();
  #connection: SessionConnection | undefined;
  #lastId = 0;

  constructor(clientId: string, expirySeconds: number, now: () => number) {
    this.clientId = clientId;
    this.expirySeconds = expirySeconds;
    this.#now = now;
  }

  get persistent(): boolean {
    return this.expirySeconds > 0;
  }

  get online(): boolean {
    return this.#connection !== undefined;
  }

  /** Continues the session on a connection. Unacknowledged messages are sent again first (MQTT 5, section 4.4). */
  attach(connection: SessionConnection): void {
    this.#connection = connection;
    this.#awaiting.clear();
    this.#resend = new Fifo(this.#unacknowledged);
    this.#pump();
  }

  detach(): void {
    this.#connection = undefined;
  }

  /** Sends or queues a message; false for an offline client when the message has QoS 0 or the session is not persistent. */
  deliver(delivery: Delivery): boolean {
    if (delivery.qos === 0) return this.#connection?.send(delivery, 0, false) ?? false;
    if (!this.online && !this.persistent) return false;
    if (this.#queue.length >= quotas.queuedMessages) {
      throw new Error(`client ${this.clientId}: message dropped, its queue holds ${quotas.queuedMessages} messages`);
    }
    this.#queue.push(delivery);
    this.#pump();
    return true;
  }

  acknowledge(messageId: number): void {
    this.#unacknowledged.delete(messageId);
    this.#awaiting.delete(messageId);
    this.#pump();
  }

  /** Removes and returns the messages that were never acknowledged, the oldest first. */
  takeUnacknowledged(): Delivery[] {
    const unacknowledged = [...this.#unacknowledged.values(), ...this.#queue];
    this.#unacknowledged.clear();
    this.#queue = new Fifo();
    return unacknowledged;
  }

  #pump(): void {
    const connection = this.#connection;
    while (connection !== undefined && this.#awaiting.size < connection.window) {
      const [messageId, sent] = this.#resend.shift() ?? [];
      if (messageId !== undefined && sent !== undefined) {
        if (this.#unacknowledged.has(messageId)) this.#send(connection, sent, messageId, true);
        continue;
      }
      const delivery = this.#queue.shift();
      if (delivery === undefined) return;
      if (expiresAt(delivery.publication) > this.#now()) this.#send(connection, delivery, this.#freeId(), false);
    }
  }

  #send(connection: SessionConnection, delivery: Delivery, messageId: number, dup: boolean): void {
    this.#unacknowledged.set(messageId, delivery);
    this.#awaiting.add(messageId);
    if (connection.send(delivery, messageId, dup)) return;
    this.#unacknowledged.delete(messageId);
    this.#awaiting.delete(messageId);
  }

  #freeId(): number {
    do this.#lastId = (this.#lastId % 0xffff) + 1;
    while (this.#unacknowledged.has(this.#lastId));
    return this.#lastId;
  }
}

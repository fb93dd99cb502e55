import { randomUUID } from 'node:crypto';
import { Fifo } from '../../fifo.ts';
import { type ParsedFilter, quotas } from './limits.ts';
import { expiresAt, type Publication } from './publication.ts';
import type { ShareGroup } from './share-group.ts';

/** One message on its way to one client. */
export interface Delivery {
  publication: Publication;
  qos: 0 | 1;
  retain: boolean;
  /** Where an undelivered message goes back to when the session ends. */
  share?: ShareGroup;
}

/** The connection a session writes to. */
export interface Outlet {
  /** QoS 1 messages that may be unacknowledged at once. */
  readonly window: number;
  /** False when the message cannot go out on this connection: too large for the client, or the client does not read. */
  send(delivery: Delivery, messageId: number, dup: boolean): boolean;
}

/** What outlives a connection: subscriptions and QoS 1 messages not yet acknowledged. */
export class Session {
  readonly id = randomUUID();
  readonly clientId: string;
  expirySeconds: number;
  /** The filters as subscribed to, `$share/…` included. */
  readonly filters = new Map<string, ParsedFilter>();
  readonly #now: () => number;
  readonly #unacknowledged = new Map<number, Delivery>();
  readonly #awaiting = new Set<number>();
  #resend = new Fifo<[number, Delivery]>();
  #queue = new Fifo<Delivery>();
  #outlet: Outlet | undefined;
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
    return this.#outlet !== undefined;
  }

  /** A connection takes the session over: what it left unacknowledged is sent again first. */
  attach(outlet: Outlet): void {
    this.#outlet = outlet;
    this.#awaiting.clear();
    this.#resend = new Fifo(this.#unacknowledged);
    this.#pump();
  }

  detach(): void {
    this.#outlet = undefined;
  }

  /** Sends or queues; false when the message is for nobody now: QoS 0 or no persistent session, and offline. */
  offer(delivery: Delivery): boolean {
    if (delivery.qos === 0) return this.#outlet?.send(delivery, 0, false) ?? false;
    if (!this.online && !this.persistent) return false;
    if (this.#queue.length >= quotas.queuedMessages) {
      throw new Error(`queue of client ${this.clientId} is full (${quotas.queuedMessages}): message dropped`);
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

  /** All that was never acknowledged, oldest first; the session is empty afterwards. */
  drain(): Delivery[] {
    const left = [...this.#unacknowledged.values(), ...this.#queue];
    this.#unacknowledged.clear();
    this.#queue = new Fifo();
    return left;
  }

  #pump(): void {
    const outlet = this.#outlet;
    while (outlet !== undefined && this.#awaiting.size < outlet.window) {
      const again = this.#resend.shift();
      if (again !== undefined) {
        if (this.#unacknowledged.has(again[0])) this.#send(outlet, again[1], again[0], true);
        continue;
      }
      const delivery = this.#queue.shift();
      if (delivery === undefined) return;
      if (expiresAt(delivery.publication) > this.#now()) this.#send(outlet, delivery, this.#freeId(), false);
    }
  }

  #send(outlet: Outlet, delivery: Delivery, messageId: number, dup: boolean): void {
    this.#unacknowledged.set(messageId, delivery);
    this.#awaiting.add(messageId);
    if (outlet.send(delivery, messageId, dup)) return;
    this.#unacknowledged.delete(messageId);
    this.#awaiting.delete(messageId);
  }

  #freeId(): number {
    do this.#lastId = (this.#lastId % 0xffff) + 1;
    while (this.#unacknowledged.has(this.#lastId));
    return this.#lastId;
  }
}

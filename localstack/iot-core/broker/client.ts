import type { Socket } from 'node:net';
import type { IDisconnectPacket, ISubscribePacket, IUnsubscribePacket, Packet } from 'mqtt-packet';
import { connack, protocolVersion, readTerms, refusal, returnCodes, type Terms } from './connect.ts';
import { Inbound } from './inbound.ts';
import {
  type DisconnectReason,
  type EventOf,
  type LifecycleEvent,
  principalOf,
  type SubscriptionEvent,
} from './lifecycle.ts';
import { quotas } from './limits.ts';
import { Outbound } from './outbound.ts';
import { PacketParser, packetId } from './parser.ts';
import type { Services } from './services.ts';
import type { Session } from './session.ts';
import { subscribe } from './subscribe.ts';
import { ConnectionViolation, malformed, reasonCodes } from './violation.ts';
import { Wire } from './wire.ts';

const connectTimeoutMs = 30_000;

/** An accepted CONNECT and what belongs to it. */
interface Established {
  terms: Terms;
  session: Session;
  inbound: Inbound;
  versionNumber: number;
}

export interface Closing {
  /** For an MQTT 5 client; absent when the client itself ended it. */
  code?: number;
  message?: string;
  /** The client's own DISCONNECT withdraws its will. */
  withoutWill?: boolean;
}

/** One network connection, from its CONNECT to its end. */
export class Client {
  readonly #wire: Wire;
  readonly #services: Services;
  /** The established connections by client id. */
  readonly #clients: Map<string, Client>;
  readonly #parser = new PacketParser();
  #silence: NodeJS.Timeout;
  #established: Established | undefined;
  #closed = false;

  constructor(socket: Socket, services: Services, clients: Map<string, Client>, onGone: () => void) {
    this.#services = services;
    this.#clients = clients;
    this.#silence = this.#silentAfter(connectTimeoutMs);
    this.#wire = new Wire(socket, {
      onFrame: (frame) => this.#receive(frame),
      onFailure: (error) => this.#fail(error),
      onClose: () => {
        this.close('CONNECTION_LOST');
        onGone();
      },
    });
  }

  /** Stops reading; publishes already taken are still acknowledged. */
  drain(): void {
    this.#established?.inbound.drain();
    this.#wire.pause();
  }

  /** Ends the connection, and all that AWS does then: will, session, lifecycle event. */
  close(reason: DisconnectReason, { code, message, withoutWill = false }: Closing = {}): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#silence);
    const properties = message === undefined ? {} : { properties: { reasonString: message } };
    const said = code !== undefined && this.#established?.terms.protocolVersion === 5;
    this.#wire.end(said ? { cmd: 'disconnect', reasonCode: code, ...properties } : undefined);
    if (this.#established !== undefined) this.#leave(this.#established, reason, withoutWill);
  }

  #leave(
    { terms, session, inbound, versionNumber }: Established,
    reason: DisconnectReason,
    withoutWill: boolean,
  ): void {
    const services = this.#services;
    const { clientId, will } = terms;
    if (this.#clients.get(clientId) === this) this.#clients.delete(clientId);
    services.versions.release(clientId, versionNumber, services.now());
    services.sessions.release(session);
    services.announce({
      ...this.#event('disconnected', session),
      clientInitiatedDisconnect: reason === 'CLIENT_INITIATED_DISCONNECT',
      disconnectReason: reason,
      versionNumber,
    });
    if (will === undefined || withoutWill) return;
    const delay = Math.min(will.delaySeconds, session.expirySeconds);
    services.wills.schedule(clientId, delay, () => inbound.publishWill(will));
  }

  #receive(frame: Buffer): void {
    if (this.#established === undefined) {
      this.#connect(frame);
    } else {
      this.#silence.refresh();
      this.#handle(this.#parser.parse(frame), frame, this.#established);
    }
  }

  #connect(frame: Buffer): void {
    if ((frame[0] as number) >> 4 !== 1) throw malformed('first packet is no CONNECT');
    const version = protocolVersion(frame);
    if (version === undefined) {
      this.#wire.end({ cmd: 'connack', returnCode: returnCodes.unacceptableVersion, sessionPresent: false });
      return;
    }
    this.#wire.protocolVersion = version;
    try {
      const packet = this.#parser.parse(frame);
      if (packet.cmd !== 'connect') throw malformed('CONNECT');
      this.#establish(readTerms(packet, frame));
    } catch (error) {
      if (!(error instanceof ConnectionViolation)) throw error;
      this.#wire.end(refusal(version, error.code));
    }
  }

  #establish(terms: Terms): void {
    const { sessions, subscriptions, wills, versions, announce, now } = this.#services;
    const { clientId } = terms;
    this.#clients.get(clientId)?.close('DUPLICATE_CLIENTID', { code: reasonCodes.sessionTakenOver });
    if (terms.clean) wills.flush(clientId);
    else wills.cancel(clientId);
    const { session, present } = sessions.open(clientId, terms.clean, terms.sessionExpirySeconds);
    const inbound = new Inbound(this.#wire, this.#services, terms);
    const versionNumber = versions.next(clientId, now());
    this.#established = { terms, session, inbound, versionNumber };
    this.#clients.set(clientId, this);
    clearTimeout(this.#silence);
    this.#silence = this.#silentAfter(terms.keepAliveSeconds * 1500);
    this.#wire.send(connack(terms, present));
    const ipAddress = this.#wire.remoteAddress;
    announce({ ...this.#event('connected', session), ipAddress, versionNumber });
    session.attach(new Outbound(this.#wire, terms, now));
    subscriptions.serve(session, now());
  }

  #handle(packet: Packet, frame: Buffer, { session, inbound, terms }: Established): void {
    switch (packet.cmd) {
      case 'publish':
        inbound.publish(packet, frame);
        break;
      case 'puback':
        session.acknowledge(packetId(packet));
        break;
      case 'subscribe':
        this.#subscribe(packet, session);
        break;
      case 'unsubscribe':
        this.#unsubscribe(packet, session);
        break;
      case 'pingreq':
        this.#wire.send({ cmd: 'pingresp' });
        break;
      case 'disconnect':
        this.#disconnect(packet, session, terms);
        break;
      default:
        throw new ConnectionViolation(`${packet.cmd} from a client`, reasonCodes.protocolError);
    }
  }

  #subscribe(packet: ISubscribePacket, session: Session): void {
    const messageId = packetId(packet);
    const { codes, topics, serve } = subscribe(packet, session, this.#services);
    const granted =
      this.#wire.protocolVersion === 5 ? codes : codes.map((code) => Math.min(code, reasonCodes.unspecified));
    this.#wire.send({ cmd: 'suback', messageId, granted });
    this.#announceTopics('subscribed', topics, session);
    serve();
  }

  #unsubscribe(packet: IUnsubscribePacket, session: Session): void {
    const messageId = packetId(packet);
    if (packet.unsubscriptions.length === 0) {
      throw new ConnectionViolation('UNSUBSCRIBE from nothing', reasonCodes.protocolError);
    }
    const removed = packet.unsubscriptions.map((topic) => this.#services.subscriptions.remove(session, topic));
    const granted = removed.map((had) => (had ? reasonCodes.success : reasonCodes.noSubscriptionExisted));
    this.#wire.send({ cmd: 'unsuback', messageId, granted });
    const topics = packet.unsubscriptions.filter((_, index) => removed[index]);
    this.#announceTopics('unsubscribed', topics, session);
  }

  #disconnect(
    { reasonCode = reasonCodes.success, properties }: IDisconnectPacket,
    session: Session,
    terms: Terms,
  ): void {
    const expiry = properties?.sessionExpiryInterval;
    if (expiry !== undefined) {
      if (expiry < 0) throw malformed('session expiry');
      if (expiry > 0 && terms.sessionExpirySeconds === 0) {
        throw new ConnectionViolation('a session that ends now cannot be kept', reasonCodes.protocolError);
      }
      session.expirySeconds = Math.min(expiry, quotas.sessionExpirySeconds);
    }
    this.close('CLIENT_INITIATED_DISCONNECT', { withoutWill: reasonCode === reasonCodes.success });
  }

  #announceTopics(eventType: SubscriptionEvent['eventType'], topics: string[], session: Session): void {
    if (topics.length > 0) this.#services.announce({ ...this.#event(eventType, session), topics });
  }

  /** What all events have, in the order AWS writes them. */
  #event<Type extends LifecycleEvent['eventType']>(eventType: Type, { clientId, id }: Session): EventOf<Type> {
    const timestamp = this.#services.now();
    return { clientId, timestamp, eventType, sessionIdentifier: id, principalIdentifier: principalOf(clientId) };
  }

  #fail(error: unknown): void {
    if (error instanceof ConnectionViolation) {
      this.close(error.reason, { code: error.code, message: error.message });
    } else {
      this.#services.onError(error as Error);
      this.close('SERVER_ERROR', { code: reasonCodes.unspecified });
    }
  }

  /** Any packet starts it anew. A client that we keep from sending is not silent. */
  #silentAfter(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#wire.paused) this.#silence.refresh();
      else this.close('MQTT_KEEP_ALIVE_TIMEOUT', { code: reasonCodes.keepAliveTimeout });
    }, milliseconds).unref();
  }
}

import type { Socket } from 'node:net';
import type { IDisconnectPacket, ISubscribePacket, IUnsubscribePacket, Packet } from 'mqtt-packet';
import { type ConnectionSettings, connack, protocolVersion, readConnect, refusal, returnCodes } from './connect.ts';
import { Inbound } from './inbound.ts';
import {
  type DisconnectReason,
  type EventOf,
  type LifecycleEvent,
  principalOf,
  type SubscriptionEvent,
} from './lifecycle.ts';
import { quotas } from './limits.ts';
import { MqttSocket } from './mqtt-socket.ts';
import { Outbound } from './outbound.ts';
import { PacketParser, packetId } from './parser.ts';
import type { Services } from './services.ts';
import type { Session } from './session.ts';
import { subscribe } from './subscribe.ts';
import { ConnectionViolation, malformed, reasonCodes } from './violation.ts';

const connectTimeoutMs = 30_000;

/** The state of a connection whose CONNECT was accepted. */
interface Established {
  settings: ConnectionSettings;
  session: Session;
  inbound: Inbound;
  versionNumber: number;
}

export interface CloseOptions {
  /** The reason code of a DISCONNECT to an MQTT 5 client. @default - no DISCONNECT is sent */
  code?: number;
  message?: string;
  /** Whether the will is discarded, as after a normal DISCONNECT. @default false */
  discardWill?: boolean;
}

/** One client connection, from CONNECT to close. */
export class Client {
  readonly #socket: MqttSocket;
  readonly #services: Services;
  /** The established connections by client id. */
  readonly #clients: Map<string, Client>;
  readonly #parser = new PacketParser();
  #keepAliveTimer: NodeJS.Timeout;
  #established: Established | undefined;
  #closed = false;

  constructor(socket: Socket, services: Services, clients: Map<string, Client>, onClosed: () => void) {
    this.#services = services;
    this.#clients = clients;
    this.#keepAliveTimer = this.#closeWhenSilentFor(connectTimeoutMs);
    this.#socket = new MqttSocket(socket, {
      onFrame: (frame) => this.#receive(frame),
      onFailure: (error) => this.#fail(error),
      onClose: () => {
        this.close('CONNECTION_LOST');
        onClosed();
      },
    });
  }

  /** Stops reading. Publishes already read are still acknowledged. */
  stopReading(): void {
    this.#established?.inbound.stopReading();
    this.#socket.pause();
  }

  /** Closes the connection, releases the session, publishes the lifecycle event and schedules the will. */
  close(reason: DisconnectReason, { code, message, discardWill = false }: CloseOptions = {}): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#keepAliveTimer);
    const properties = message === undefined ? {} : { properties: { reasonString: message } };
    const sendsDisconnect = code !== undefined && this.#established?.settings.protocolVersion === 5;
    this.#socket.end(sendsDisconnect ? { cmd: 'disconnect', reasonCode: code, ...properties } : undefined);
    if (this.#established !== undefined) this.#leave(this.#established, reason, discardWill);
  }

  #leave(
    { settings, session, inbound, versionNumber }: Established,
    reason: DisconnectReason,
    discardWill: boolean,
  ): void {
    const services = this.#services;
    const { clientId, will } = settings;
    if (this.#clients.get(clientId) === this) this.#clients.delete(clientId);
    services.versions.release(clientId, versionNumber, services.now());
    services.sessions.release(session);
    services.publishLifecycle({
      ...this.#event('disconnected', session),
      clientInitiatedDisconnect: reason === 'CLIENT_INITIATED_DISCONNECT',
      disconnectReason: reason,
      versionNumber,
    });
    if (will === undefined || discardWill) return;
    const delay = Math.min(will.delaySeconds, session.expirySeconds);
    services.wills.schedule(clientId, delay, () => inbound.publishWill(will));
  }

  #receive(frame: Buffer): void {
    if (this.#established === undefined) {
      this.#connect(frame);
    } else {
      this.#keepAliveTimer.refresh();
      this.#handle(this.#parser.parse(frame), frame, this.#established);
    }
  }

  #connect(frame: Buffer): void {
    if ((frame[0] as number) >> 4 !== 1) throw malformed('the first packet is not a CONNECT');
    const version = protocolVersion(frame);
    if (version === undefined) {
      this.#socket.end({ cmd: 'connack', returnCode: returnCodes.unacceptableVersion, sessionPresent: false });
      return;
    }
    this.#socket.protocolVersion = version;
    try {
      const packet = this.#parser.parse(frame);
      if (packet.cmd !== 'connect') throw malformed('CONNECT');
      this.#establish(readConnect(packet, frame));
    } catch (error) {
      if (!(error instanceof ConnectionViolation)) throw error;
      this.#services.onDisconnect(undefined, `refused: ${error.message}`);
      this.#socket.end(refusal(version, error.code));
    }
  }

  #establish(settings: ConnectionSettings): void {
    const { sessions, subscriptions, wills, versions, publishLifecycle, now } = this.#services;
    const { clientId } = settings;
    const earlier = this.#clients.get(clientId);
    if (earlier !== undefined) this.#services.onDisconnect(clientId, 'another connection has the same client id');
    earlier?.close('DUPLICATE_CLIENTID', { code: reasonCodes.sessionTakenOver });
    if (settings.clean) wills.publishNow(clientId);
    else wills.cancel(clientId);
    const { session, present } = sessions.open(clientId, settings.clean, settings.sessionExpirySeconds);
    const inbound = new Inbound(this.#socket, this.#services, settings);
    const versionNumber = versions.next(clientId, now());
    this.#established = { settings, session, inbound, versionNumber };
    this.#clients.set(clientId, this);
    clearTimeout(this.#keepAliveTimer);
    this.#keepAliveTimer = this.#closeWhenSilentFor(settings.keepAliveSeconds * 1500);
    this.#socket.send(connack(settings, present));
    const ipAddress = this.#socket.remoteAddress;
    publishLifecycle({ ...this.#event('connected', session), ipAddress, versionNumber });
    session.attach(new Outbound(this.#socket, settings, now));
    subscriptions.deliverQueued(session, now());
  }

  #handle(packet: Packet, frame: Buffer, { session, inbound, settings }: Established): void {
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
        this.#socket.send({ cmd: 'pingresp' });
        break;
      case 'disconnect':
        this.#disconnect(packet, session, settings);
        break;
      default:
        throw new ConnectionViolation(`unexpected packet: ${packet.cmd}`, reasonCodes.protocolError);
    }
  }

  #subscribe(packet: ISubscribePacket, session: Session): void {
    const messageId = packetId(packet);
    const { codes, topics, deliverQueued } = subscribe(packet, session, this.#services);
    const granted =
      this.#socket.protocolVersion === 5 ? codes : codes.map((code) => Math.min(code, reasonCodes.unspecified));
    this.#socket.send({ cmd: 'suback', messageId, granted });
    this.#publishTopics('subscribed', topics, session);
    deliverQueued();
  }

  #unsubscribe(packet: IUnsubscribePacket, session: Session): void {
    const messageId = packetId(packet);
    if (packet.unsubscriptions.length === 0) {
      throw new ConnectionViolation('UNSUBSCRIBE without a topic filter', reasonCodes.protocolError);
    }
    const removed = packet.unsubscriptions.map((topic) => this.#services.subscriptions.remove(session, topic));
    const granted = removed.map((existed) => (existed ? reasonCodes.success : reasonCodes.noSubscriptionExisted));
    this.#socket.send({ cmd: 'unsuback', messageId, granted });
    const topics = packet.unsubscriptions.filter((_, index) => removed[index]);
    this.#publishTopics('unsubscribed', topics, session);
  }

  #disconnect(
    { reasonCode = reasonCodes.success, properties }: IDisconnectPacket,
    session: Session,
    settings: ConnectionSettings,
  ): void {
    const expiry = properties?.sessionExpiryInterval;
    if (expiry !== undefined) {
      if (expiry < 0) throw malformed('session expiry interval');
      if (expiry > 0 && settings.sessionExpirySeconds === 0) {
        throw new ConnectionViolation(
          'DISCONNECT sets a session expiry interval, and CONNECT set 0',
          reasonCodes.protocolError,
        );
      }
      session.expirySeconds = Math.min(expiry, quotas.sessionExpirySeconds);
    }
    this.close('CLIENT_INITIATED_DISCONNECT', { discardWill: reasonCode === reasonCodes.success });
  }

  #publishTopics(eventType: SubscriptionEvent['eventType'], topics: string[], session: Session): void {
    if (topics.length > 0) this.#services.publishLifecycle({ ...this.#event(eventType, session), topics });
  }

  /** The fields that all events have, in AWS's order. */
  #event<Type extends LifecycleEvent['eventType']>(eventType: Type, { clientId, id }: Session): EventOf<Type> {
    const timestamp = this.#services.now();
    return { clientId, timestamp, eventType, sessionIdentifier: id, principalIdentifier: principalOf(clientId) };
  }

  #fail(error: unknown): void {
    if (error instanceof ConnectionViolation) {
      this.#services.onDisconnect(this.#established?.settings.clientId, error.message);
      this.close(error.reason, { code: error.code, message: error.message });
    } else {
      this.#services.onError(error as Error);
      this.close('SERVER_ERROR', { code: reasonCodes.unspecified });
    }
  }

  /** Every packet restarts the timer. While the broker itself has paused reading, it does not run out. */
  #closeWhenSilentFor(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#socket.paused) this.#keepAliveTimer.refresh();
      else {
        const { clientId } = this.#established?.settings ?? {};
        this.#services.onDisconnect(clientId, `no packet within ${milliseconds / 1000} s (keep alive)`);
        this.close('MQTT_KEEP_ALIVE_TIMEOUT', { code: reasonCodes.keepAliveTimeout });
      }
    }, milliseconds).unref();
  }
}

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { announcer, insideSender } from './announce.ts';
import { Client } from './client.ts';
import { stamped } from './inbound.ts';
import { type DisconnectReason, type LifecycleEvent, VersionNumbers } from './lifecycle.ts';
import { assertPublishable, quotas } from './limits.ts';
import { assertQuotas } from './properties.ts';
import type { MessageProperties, Publication } from './publication.ts';
import { RetainedMessages } from './retained.ts';
import { Router } from './router.ts';
import type { Services } from './services.ts';
import { Sessions } from './sessions.ts';
import { Subscriptions } from './subscriptions.ts';
import { reasonCodes } from './violation.ts';
import { PendingWills } from './wills.ts';

export type {
  ConnectedEvent,
  DisconnectedEvent,
  DisconnectReason,
  LifecycleEvent,
  SubscriptionEvent,
} from './lifecycle.ts';
export type { MessageProperties, Publication } from './publication.ts';

export interface BrokerOptions {
  /** Default: 127.0.0.1, so that nobody else can reach it. */
  host?: string;
  /** Default: a free one. */
  port?: number;
  /**
   * Called for each accepted publish, in order of arrival. A QoS 1 publish is acknowledged only after it settles; a
   * rejection goes to onError and leaves the publish unacknowledged. Default: every publish is accepted.
   */
  onPublish?: (publication: Publication) => void | Promise<void>;
  /** Called before the event is published on its `$aws/events/…` topic. Default: the topic is all there is. */
  onLifecycle?: (event: LifecycleEvent) => void;
  /** Default: a process warning. */
  onError?: (error: Error) => void;
  /** The clock of timestamps and message expiry. Default: the system's. */
  now?: () => number;
}

/** A publish from inside the process: the republish action, the HTTP data plane. */
export interface BrokerMessage {
  topic: string;
  payload: Uint8Array | string;
  /** Default: 0. */
  qos?: 0 | 1;
  /** Default: false. */
  retain?: boolean;
  /** Default: `n/a`, as AWS's `clientid()` says of messages that no MQTT client sent. */
  clientId?: string;
  sourceIp?: string;
  principal?: string;
  protocolVersion?: 4 | 5;
  /** Default: a new one. */
  traceId?: string;
  properties?: Partial<MessageProperties>;
}

export interface Broker {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /**
   * Publishes as a client would, onPublish included, and settles as onPublish does. Rejects a topic or size that AWS
   * would refuse.
   */
  publish(message: BrokerMessage): Promise<void>;
  /** Ends a client's connection; nothing happens when there is none. Default reason: API_INITIATED_DISCONNECT. */
  disconnect(clientId: string, reason?: DisconnectReason): void;
  /** Reads no more, waits for the onPublish calls under way, then disconnects everybody. */
  close(): Promise<void>;
}

/** Starts an MQTT 3.1.1 and 5 broker that behaves as AWS IoT Core's. Sessions and retained messages live in memory. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const { host = '127.0.0.1', port = 0, onPublish = () => {}, onLifecycle = () => {}, now = Date.now } = options;
  const onError = options.onError ?? ((error: Error) => process.emitWarning(error));

  const subscriptions = new Subscriptions(onError);
  const retained = new RetainedMessages();
  const router = new Router({ subscriptions, retained, onPublish, onError });
  const sessions = new Sessions(subscriptions, now);
  const wills = new PendingWills();
  const announce = announcer(router, onLifecycle, onError);
  const versions = new VersionNumbers();
  const services: Services = { router, subscriptions, retained, sessions, wills, versions, announce, onError, now };

  const connections = new Set<Client>();
  const clients = new Map<string, Client>();
  const server = createServer((socket) => {
    const client = new Client(socket, services, clients, () => connections.delete(client));
    connections.add(client);
  });
  server.listen(port, host);
  await once(server, 'listening');
  server.on('error', onError);

  async function stop(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    for (const client of connections) client.drain();
    await router.settled();
    for (const client of connections) {
      client.close('SERVER_INITIATED_DISCONNECT', { code: reasonCodes.serverShuttingDown });
    }
    sessions.close();
    wills.close();
    await Promise.all([router.settled(), closed]);
  }

  const address = server.address() as AddressInfo;
  const authority = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let stopped: Promise<void> | undefined;
  return {
    host: address.address,
    port: address.port,
    url: `mqtt://${authority}:${address.port}`,
    async publish(message) {
      await router.accept(fromInside(message, now()));
    },
    disconnect(clientId, reason = 'API_INITIATED_DISCONNECT') {
      clients.get(clientId)?.close(reason, { code: disconnectCodes[reason] ?? reasonCodes.unspecified });
    },
    close() {
      stopped ??= stop();
      return stopped;
    },
  };
}

const disconnectCodes: Partial<Record<DisconnectReason, number>> = {
  API_INITIATED_DISCONNECT: reasonCodes.administrativeAction,
  SERVER_INITIATED_DISCONNECT: reasonCodes.serverShuttingDown,
  DUPLICATE_CLIENTID: reasonCodes.sessionTakenOver,
  MQTT_KEEP_ALIVE_TIMEOUT: reasonCodes.keepAliveTimeout,
  AUTH_ERROR: reasonCodes.notAuthorized,
  FORBIDDEN_ACCESS: reasonCodes.notAuthorized,
  THROTTLED: reasonCodes.quotaExceeded,
};

function fromInside({ qos = 0, retain = false, properties, ...message }: BrokerMessage, now: number): Publication {
  const payload = typeof message.payload === 'string' ? Buffer.from(message.payload) : message.payload;
  assertPublishable(message.topic);
  if (payload.byteLength > quotas.payloadBytes) throw new RangeError(`payload of ${payload.byteLength} bytes`);
  const all: MessageProperties = { userProperties: [], ...properties };
  assertQuotas(all);
  return stamped({ ...insideSender, ...message, payload, qos, retain, dup: false, properties: all }, now);
}

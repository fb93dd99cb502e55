import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Client } from './client.ts';
import { newPublication } from './inbound.ts';
import { type DisconnectReason, type LifecycleEvent, VersionNumbers } from './lifecycle.ts';
import { internalPublisher, lifecyclePublisher } from './lifecycle-publisher.ts';
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
  /** @default '127.0.0.1', which other machines cannot reach */
  host?: string;
  /** @default - a free port */
  port?: number;
  /**
   * Called for each valid publish, in order of arrival. A QoS 1 publish is acknowledged when the returned promise resolves.
   * A rejection goes to onError and leaves the publish unacknowledged.
   *
   * @default - every publish is accepted
   */
  onPublish?: (publication: Publication) => void | Promise<void>;
  /**
   * Called before the event is published on its `$aws/events/…` topic.
   *
   * @default - the event is only published
   */
  onLifecycle?: (event: LifecycleEvent) => void;
  /**
   * Called when the broker ends a connection, also one that it refuses, with the reason in words.
   *
   * @default - the client alone learns the reason
   */
  onDisconnect?: (clientId: string | undefined, reason: string) => void;
  /** @default - emits a process warning */
  onError?: (error: Error) => void;
  /** Milliseconds since the epoch, for timestamps and message expiry. @default Date.now */
  now?: () => number;
}

/** A message that the process publishes itself, not an MQTT client. */
export interface BrokerMessage {
  topic: string;
  payload: Uint8Array | string;
  /** @default 0 */
  qos?: 0 | 1;
  /** @default false */
  retain?: boolean;
  /** @default 'n/a', which `clientid()` of AWS IoT SQL returns for messages that no MQTT client sent */
  clientId?: string;
  sourceIp?: string;
  principal?: string;
  protocolVersion?: 4 | 5;
  /** @default - a new UUID */
  traceId?: string | undefined;
  /** @default 'MQTT' */
  protocol?: 'MQTT' | 'HTTP';
  properties?: Partial<MessageProperties>;
}

export interface Broker {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /**
   * Publishes a message to subscribers and to onPublish, and settles as onPublish does.
   *
   * @throws when the topic or the size is outside the quotas of AWS IoT Core
   */
  publish(message: BrokerMessage): Promise<void>;
  /** The retained message of a topic, if there is one. */
  retained(topic: string): Publication | undefined;
  /** Ends a client's connection, if there is one. The default reason is API_INITIATED_DISCONNECT. */
  disconnect(clientId: string, reason?: DisconnectReason): void;
  /** Stops reading, waits for the pending onPublish calls, then disconnects all clients. */
  close(): Promise<void>;
}

/** Starts a broker for MQTT 3.1.1 and 5 with the limits and lifecycle events of AWS IoT Core. It keeps its state in memory. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const { host = '127.0.0.1', port = 0, onPublish = () => {}, onLifecycle = () => {}, now = Date.now } = options;
  const onError = options.onError ?? ((error: Error) => process.emitWarning(error));

  const subscriptions = new Subscriptions(onError);
  const retained = new RetainedMessages(onError);
  const router = new Router({ subscriptions, retained, onPublish, onError });
  const sessions = new Sessions(subscriptions, now);
  const wills = new PendingWills();
  const publishLifecycle = lifecyclePublisher(router, onLifecycle, onError);
  const versions = new VersionNumbers();
  const services: Services = {
    router,
    subscriptions,
    retained,
    sessions,
    wills,
    versions,
    publishLifecycle,
    onDisconnect: options.onDisconnect ?? (() => {}),
    onError,
    now,
  };

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
    for (const client of connections) client.stopReading();
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
      await router.accept(internalPublication(message, now()));
    },
    retained: (topic) => retained.find(topic, now()),
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

function internalPublication(
  { qos = 0, retain = false, properties, ...message }: BrokerMessage,
  now: number,
): Publication {
  const payload = typeof message.payload === 'string' ? Buffer.from(message.payload) : message.payload;
  assertPublishable(message.topic);
  if (payload.byteLength > quotas.payloadBytes)
    throw new RangeError(`payload: got ${payload.byteLength} bytes; expected at most ${quotas.payloadBytes}`);
  const allProperties: MessageProperties = { userProperties: [], ...properties };
  assertQuotas(allProperties);
  return newPublication(
    { ...internalPublisher, ...message, payload, qos, retain, dup: false, properties: allProperties },
    now,
  );
}

import { createHash } from 'node:crypto';

/** The disconnect reasons of AWS IoT Core: https://docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html */
export type DisconnectReason =
  | 'AUTH_ERROR'
  | 'CLIENT_INITIATED_DISCONNECT'
  | 'CLIENT_ERROR'
  | 'CONNECTION_LOST'
  | 'DUPLICATE_CLIENTID'
  | 'FORBIDDEN_ACCESS'
  | 'MQTT_KEEP_ALIVE_TIMEOUT'
  | 'SERVER_ERROR'
  | 'SERVER_INITIATED_DISCONNECT'
  | 'API_INITIATED_DISCONNECT'
  | 'THROTTLED'
  | 'WEBSOCKET_TTL_EXPIRATION'
  | 'CUSTOMAUTH_TTL_EXPIRATION';

/** The fields that all events have. `thingName` is absent, because the stand-in has no things. */
export interface EventOf<Type extends string> {
  clientId: string;
  timestamp: number;
  eventType: Type;
  sessionIdentifier: string;
  principalIdentifier: string;
}

export interface ConnectedEvent extends EventOf<'connected'> {
  ipAddress: string;
  versionNumber: number;
}

export interface DisconnectedEvent extends EventOf<'disconnected'> {
  clientInitiatedDisconnect: boolean;
  disconnectReason: DisconnectReason;
  versionNumber: number;
}

/** One event for each SUBSCRIBE or UNSUBSCRIBE packet, with all its topic filters. */
export interface SubscriptionEvent extends EventOf<'subscribed' | 'unsubscribed'> {
  topics: string[];
}

export type LifecycleEvent = ConnectedEvent | DisconnectedEvent | SubscriptionEvent;

/** Replaces the id of a client's certificate: 64 hex digits that only depend on the client id. */
export function principalOf(clientId: string): string {
  return createHash('sha256').update(clientId).digest('hex');
}

export function eventTopic({ eventType, clientId }: LifecycleEvent): string {
  const group = eventType === 'connected' || eventType === 'disconnected' ? 'presence' : 'subscriptions';
  return `$aws/events/${group}/${eventType}/${clientId}`;
}

/** AWS IoT Core publishes no lifecycle events for a client id with `+` or `#`. */
export function emitsLifecycleEvents(clientId: string): boolean {
  return !/[+#]/.test(clientId);
}

const expiresAfterMs = 3_600_000;

/** The `versionNumber` of presence events: it increases with each connection of a client id, and restarts at 0 after an hour offline. */
export class VersionNumbers {
  // Offline clients only, the longest offline first, so that expiry stops at the first recent one.
  readonly #offline = new Map<string, { last: number; since: number }>();

  next(clientId: string, now: number): number {
    this.#removeExpired(now);
    const known = this.#offline.get(clientId);
    this.#offline.delete(clientId);
    return known === undefined ? 0 : known.last + 1;
  }

  release(clientId: string, last: number, now: number): void {
    this.#removeExpired(now);
    this.#offline.delete(clientId);
    this.#offline.set(clientId, { last, since: now });
  }

  #removeExpired(now: number): void {
    for (const [clientId, { since }] of this.#offline) {
      if (now - since < expiresAfterMs) return;
      this.#offline.delete(clientId);
    }
  }
}

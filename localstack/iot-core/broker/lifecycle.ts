import { createHash } from 'node:crypto';

/** AWS's values: https://docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html */
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

/** What all events have. thingName is missing: it needs AWS's exclusive things. */
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

/** One SUBSCRIBE or UNSUBSCRIBE gives one event, however many filters it has. */
export interface SubscriptionEvent extends EventOf<'subscribed' | 'unsubscribed'> {
  topics: string[];
}

export type LifecycleEvent = ConnectedEvent | DisconnectedEvent | SubscriptionEvent;

/** Stands in for the id of a client's certificate, which is 64 hex digits. */
export function principalOf(clientId: string): string {
  return createHash('sha256').update(clientId).digest('hex');
}

export function eventTopic({ eventType, clientId }: LifecycleEvent): string {
  const kind = eventType === 'connected' || eventType === 'disconnected' ? 'presence' : 'subscriptions';
  return `$aws/events/${kind}/${eventType}/${clientId}`;
}

/** AWS is silent about client ids that would read as wildcards in the event's topic. */
export function hasEvents(clientId: string): boolean {
  return !/[+#]/.test(clientId);
}

const forgottenAfterMs = 3_600_000;

/** versionNumber: one more with each connection of a client id, from 0 again after an hour offline. */
export class VersionNumbers {
  // Offline clients only, longest offline first, so that forgetting stops at the first young one.
  readonly #offline = new Map<string, { last: number; since: number }>();

  next(clientId: string, now: number): number {
    this.#forget(now);
    const known = this.#offline.get(clientId);
    this.#offline.delete(clientId);
    return known === undefined ? 0 : known.last + 1;
  }

  release(clientId: string, last: number, now: number): void {
    this.#forget(now);
    this.#offline.delete(clientId);
    this.#offline.set(clientId, { last, since: now });
  }

  #forget(now: number): void {
    for (const [clientId, { since }] of this.#offline) {
      if (now - since < forgottenAfterMs) return;
      this.#offline.delete(clientId);
    }
  }
}

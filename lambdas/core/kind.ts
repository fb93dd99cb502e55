/** What a client does beside publishing, by AWS IoT Core's names, and the kind that its envelopes and events have. */
export const CLIENT_EVENT_KINDS = {
  connected: 'mqtt.client.connected',
  disconnected: 'mqtt.client.disconnected',
  subscribed: 'mqtt.session.subscribed',
  unsubscribed: 'mqtt.session.unsubscribed',
} as const;

/** The kind of a message that a client published, and what logs tell of one that a client was sent. */
export const PUBLISH = 'mqtt.message.publish';
export const DELIVERED = 'mqtt.message.delivered';

export type ClientEventName = keyof typeof CLIENT_EVENT_KINDS;
export type ClientEventKind = (typeof CLIENT_EVENT_KINDS)[ClientEventName];

const KINDS: ReadonlySet<string> = new Set(Object.values(CLIENT_EVENT_KINDS));

export function isClientEvent(kind: string): kind is ClientEventKind {
  return KINDS.has(kind);
}

/** Where AWS IoT Core publishes them (AWS IoT Core, "Lifecycle events"). It ends in `#`: client ids may contain slashes. */
export function clientEventFilter(name: ClientEventName): string {
  const family = name === 'connected' || name === 'disconnected' ? 'presence' : 'subscriptions';
  return `$aws/events/${family}/${name}/#`;
}

/** The kind that a topic's messages have: of a client event, or a message like any other. */
export function kindOfTopic(topic: string): ClientEventKind | typeof PUBLISH {
  const [, name] = /^\$aws\/events\/(?:presence|subscriptions)\/(\w+)\//.exec(topic) ?? [];
  const isKnown = name !== undefined && Object.hasOwn(CLIENT_EVENT_KINDS, name);
  return isKnown ? CLIENT_EVENT_KINDS[name as ClientEventName] : PUBLISH;
}

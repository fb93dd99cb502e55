/** Event types of what a client does apart from publishing, by the names of AWS IoT Core. */
export const CLIENT_EVENT_TYPES = {
  connected: 'mqtt.client.connected',
  disconnected: 'mqtt.client.disconnected',
  subscribed: 'mqtt.session.subscribed',
  unsubscribed: 'mqtt.session.unsubscribed',
} as const;

/** Event type of a message that a client published. */
export const PUBLISH = 'mqtt.message.publish';
/** Event type of a message that AWS IoT Core sent to a client, as CloudWatch Logs reports it. */
export const DELIVERED = 'mqtt.message.delivered';

export type ClientEventName = keyof typeof CLIENT_EVENT_TYPES;
export type ClientEventType = (typeof CLIENT_EVENT_TYPES)[ClientEventName];

const TYPES: ReadonlySet<string> = new Set(Object.values(CLIENT_EVENT_TYPES));

export function isClientEvent(type: string): type is ClientEventType {
  return TYPES.has(type);
}

/**
 * The topic filter of a client event (AWS IoT Core, "Lifecycle events"). It ends in `#`, because a client id may contain
 * slashes.
 */
export function clientEventFilter(name: ClientEventName): string {
  const family = name === 'connected' || name === 'disconnected' ? 'presence' : 'subscriptions';
  return `$aws/events/${family}/${name}/#`;
}

/** The event type of messages on a topic: a client event's on the topics of lifecycle events, else {@link PUBLISH}. */
export function eventTypeOfTopic(topic: string): ClientEventType | typeof PUBLISH {
  const [, name] = /^\$aws\/events\/(?:presence|subscriptions)\/(\w+)\//.exec(topic) ?? [];
  const isKnown = name !== undefined && Object.hasOwn(CLIENT_EVENT_TYPES, name);
  return isKnown ? CLIENT_EVENT_TYPES[name as ClientEventName] : PUBLISH;
}

/** Where a hook sends its events. */
export interface Hook {
  /** Topic of RocketMQ. */
  readonly topic: string;
  /**
   * Template or JSONPath of the message group, which keeps messages of one topic in order: `$.data.clientid` keeps each client's.
   *
   * @default - no order
   */
  readonly messageGroup?: string;
  /**
   * Template or JSONPath of the message keys.
   *
   * @default - the event's id
   */
  readonly key?: string;
  /**
   * Template or JSONPath of the message tag.
   *
   * @default - no tag
   */
  readonly tag?: string;
}

export interface FilteredHook extends Hook {
  /**
   * MQTT topic filter. It selects published and delivered messages by their topics, and subscriptions by their topic filters, as
   * if those were topics. `#` does not match topics that begin with `$`.
   *
   * @default '#'
   */
  readonly filter?: string;
}

/**
 * Hooks by event, under the names of the EMQX 3.x plugin's configuration file; a list stands for the file's `.1`, `.2` and so on.
 * Every hook that matches an event fires.
 */
export interface Hooks {
  readonly 'client.connected'?: readonly Hook[];
  readonly 'client.disconnected'?: readonly Hook[];
  readonly 'session.subscribed'?: readonly FilteredHook[];
  readonly 'session.unsubscribed'?: readonly FilteredHook[];
  readonly 'message.publish'?: readonly FilteredHook[];
  /** Needs `deliveredLog`. */
  readonly 'message.delivered'?: readonly FilteredHook[];
  /** Refused: AWS IoT Core does not report it. */
  readonly 'message.acked'?: readonly FilteredHook[];
}

export type HookEvent = keyof Hooks;

/** The topics and filters of the plugin's own configuration file, without the two events that AWS IoT Core does not publish. */
const PUBLISHED_HOOKS: Hooks = {
  'client.connected': [{ topic: 'ClientConnected' }],
  'client.disconnected': [{ topic: 'ClientDisconnected' }],
  'session.subscribed': [{ filter: '#', topic: 'SessionSubscribed' }],
  'session.unsubscribed': [{ filter: '#', topic: 'SessionUnsubscribed' }],
  'message.publish': [{ filter: '#', topic: 'MessagePublish' }],
};

/** The plugin's hooks by default, as far as AWS IoT Core reports their events. @param isDeliveryLogged whether it logs deliveries */
export function defaultHooks(isDeliveryLogged: boolean): Hooks {
  return isDeliveryLogged
    ? { ...PUBLISHED_HOOKS, 'message.delivered': [{ filter: '#', topic: 'MessageDeliver' }] }
    : PUBLISHED_HOOKS;
}

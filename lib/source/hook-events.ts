/** Where a hook sends its events. */
export interface Hook {
  /** Topic of RocketMQ. */
  readonly topic: string;
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

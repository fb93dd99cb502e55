/** Where records of a task go, if not all of them to one place. */
export interface RouteOptions {
  /** In their order; each has the options of the sink that are others on it. */
  readonly routes: readonly Route[];
  /**
   * Whether a record takes the first route that matches it, or every one.
   *
   * @default 'first'
   */
  readonly match?: 'first' | 'all';
  /**
   * What becomes of a record that no route matches: it goes to the dead-letter queue with the code NO_ROUTE, or is dropped
   * and counted as filtered.
   *
   * @default 'deadLetter'
   */
  readonly otherwise?: 'deadLetter' | 'drop';
}

/** A way to the sink. It takes what each of its conditions matches; without any, everything. */
export interface Route {
  /** Type of the event, such as `mqtt.client.connected`. */
  readonly kind?: string;
  /** What the topic has to match; of a subscription, the topic filter, as if it were a topic. */
  readonly topicFilter?: string;
  /** EventBridge event pattern over the event. */
  readonly filter?: object;
  /**
   * Options of the sink by their names in its props, such as `{ topic: 'Alarms', tag: 'hot' }`: those that are each message's
   * own. Of Kinesis `stream` (a name, or an IStream), `partitionKey`, `explicitHashKey`, `payload`; of RocketMQ `topic`,
   * `payload`, `key`, `tag`, `properties`, `messageGroup`, `delayLevel`, `deliverAt`.
   */
  readonly sink: Readonly<Record<string, unknown>>;
}

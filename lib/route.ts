import type { EventPattern } from '../lambdas/core/pattern/event-pattern.ts';

/** Where the records of a task go, if not all of them to the sink's target. */
export interface RouteOptions<Overrides extends object = object> {
  /** At least one, in the order in which they are tried. */
  readonly routes: readonly Route<Overrides>[];
  /**
   * Whether a record takes the first route that matches it, or every one.
   *
   * @default 'first'
   */
  readonly match?: 'first' | 'all';
  /**
   * What happens to a record that no route matches: it goes to the dead-letter queue with the code NO_ROUTE, or it is dropped and
   * counted as filtered.
   *
   * @default 'deadLetter'
   */
  readonly otherwise?: 'deadLetter' | 'drop';
}

/** Overrides of the sink's options, for the records that match every condition given; without a condition, for every record. */
export interface Route<Overrides extends object = object> {
  /** Type of the event, such as `mqtt.client.connected`. */
  readonly kind?: string;
  /** MQTT topic filter that the topic matches; of a subscription, that its topic filter matches as if it were a topic. */
  readonly topicFilter?: string;
  /** EventBridge event pattern that the event matches. */
  readonly filter?: EventPattern;
  /** Options of the sink that apply to single messages, such as `{ topic: 'Alarms', tag: 'hot' }`, by their names in its props. */
  readonly sink: Overrides;
}

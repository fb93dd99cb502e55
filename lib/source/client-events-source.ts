import type { Construct } from 'constructs';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { CLIENT_EVENT_TYPES, type ClientEventName, clientEventFilter } from '../../lambdas/core/event-type.ts';
import type { OptionAdvice } from '../advice.ts';
import { ANY, checkOption, checkProps, listOf, type OptionTypes, STRING } from '../props.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import type { Origin } from './origin.ts';
import type { TopicRule } from './rule-sql.ts';
import type { ISource, SourceBinding } from './source.ts';
import { addTopicRules } from './topic-rules.ts';

export interface ClientEventsSourceProps {
  /**
   * The events.
   *
   * @default - all: connected, disconnected, subscribed, unsubscribed
   */
  readonly events?: readonly ClientEventName[];
  /**
   * MQTT topic filter that selects subscriptions and their ends: it matches the client's topic filter as if that were a topic.
   *
   * @default - every subscription
   */
  readonly subscribedTo?: string;
  /**
   * `username` of the events. AWS IoT Core reports no user name; it reports the client's identity as `principal`.
   *
   * @default null
   */
  readonly username?: string;
}

const OPTIONS: OptionTypes<ClientEventsSourceProps> = { events: ANY, subscribedTo: ANY, username: ANY };

const ADVICE: OptionAdvice = [
  [/^(topics?|(topic)?filters?)$/, 'subscribedTo, for subscriptions; events, for the types of events'],
];

/**
 * Client events: clients connect, disconnect, subscribe and unsubscribe (AWS IoT Core, "Lifecycle events"). A subscription to several
 * topic filters becomes one record per filter. AWS IoT Core may publish an event more than once and out of order: duplicates have the
 * same id, and a later connection has a higher `versionNumber`. It publishes no events of clients whose id contains `#` or `+`.
 *
 * @throws InvalidOptionError at synth for an unknown event.
 */
export class ClientEventsSource implements ISource {
  readonly spec: object;
  readonly workerOptions: Readonly<Record<string, unknown>>;
  readonly advice = ADVICE;
  readonly #props: ClientEventsSourceProps;
  readonly #events: readonly ClientEventName[];

  constructor(props: ClientEventsSourceProps = {}) {
    const { events, subscribedTo, username } = props;
    this.#props = props;
    this.workerOptions = { subscribedTo, username };
    this.#events = checkEvents(events);
    this.spec = {
      type: 'client-events',
      filters: this.#events.map(clientEventFilter),
      ...(subscribedTo !== undefined && { subscribedTo }),
      ...(username !== undefined && { defaults: { username } }),
    };
  }

  bind(scope: Construct, binding: SourceBinding): readonly Origin[] {
    checkProps(binding.option, this.#props, OPTIONS, [...ADVICE, ...TASK_ADVICE]);
    return addTopicRules(scope, binding, this.#events.map(ruleOfEvent));
  }
}

/** The topic rule of a client event. */
export function ruleOfEvent(event: ClientEventName): TopicRule {
  const topicFilter = clientEventFilter(event);
  return { eventType: CLIENT_EVENT_TYPES[event], topicFilter, from: `FROM '${topicFilter}'` };
}

function checkEvents(events?: readonly ClientEventName[]): readonly ClientEventName[] {
  const known = Object.keys(CLIENT_EVENT_TYPES) as ClientEventName[];
  checkOption('ClientEventsSource.events', events, listOf(STRING));
  if (events === undefined) return known;
  const unknown = events.find((event) => !known.includes(event));
  if (unknown !== undefined || events.length === 0)
    throw new InvalidOptionError('ClientEventsSource.events', unknown ?? events, `one or more of ${known.join(', ')}`);
  return [...new Set(events)];
}

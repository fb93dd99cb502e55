import type { Construct } from 'constructs';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { CLIENT_EVENT_TYPES, type ClientEventName, clientEventFilter } from '../../lambdas/core/event-type.ts';
import { type OptionAdvice, refuseUnknown } from '../advice.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import type { Origin } from './origin.ts';
import type { TopicRule } from './rule-sql.ts';
import type { ISource, SourceBinding } from './source.ts';
import { addTopicRules } from './topic-rules.ts';

export interface ClientEventsSourceProps {
  /**
   * Which events.
   *
   * @default - all: connected, disconnected, subscribed, unsubscribed
   */
  readonly events?: readonly ClientEventName[];
  /**
   * Of subscriptions, only those to topic filters that this one matches, each as if it were a topic (rows B13, B14).
   *
   * @default - all of them
   */
  readonly subscribedTo?: string;
  /**
   * `username` of the events: AWS IoT Core tells none, but who the client is to it, as `principal`.
   *
   * @default null
   */
  readonly username?: string;
}

const OPTIONS = Object.keys({
  events: true,
  subscribedTo: true,
  username: true,
} satisfies Record<keyof ClientEventsSourceProps, true>);

const ADVICE: OptionAdvice = [
  [/^(topics?|(topic)?filters?)$/, 'subscribedTo, for subscriptions; events, for the types of events'],
];

/**
 * What clients do beside publishing: they connect and disconnect, subscribe and unsubscribe (rows A2, A27, B11–B14; AWS IoT
 * Core, "Lifecycle events"). A subscription to several topics is a record for each. AWS IoT Core may tell an event twice, and
 * events out of order: those told twice have the same id, and the connection that is later has the higher `versionNumber`.
 * Of clients whose id holds `#` or `+` it tells nothing.
 *
 * @throws InvalidOptionError at synth for an event that there is not.
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
    refuseUnknown(binding.option, this.#props, OPTIONS, [...ADVICE, ...TASK_ADVICE]);
    return addTopicRules(scope, binding, this.#events.map(ruleOfEvent));
  }
}

/** The rule for an event of clients. */
export function ruleOfEvent(event: ClientEventName): TopicRule {
  const topicFilter = clientEventFilter(event);
  return { eventType: CLIENT_EVENT_TYPES[event], topicFilter, from: `FROM '${topicFilter}'` };
}

function checkEvents(events?: readonly ClientEventName[]): readonly ClientEventName[] {
  const known = Object.keys(CLIENT_EVENT_TYPES) as ClientEventName[];
  if (events === undefined) return known;
  const unknown = events.find((event) => !known.includes(event));
  if (unknown !== undefined || events.length === 0)
    throw new InvalidOptionError('ClientEventsSource.events', unknown ?? events, `some of ${known.join(', ')}`);
  return [...new Set(events)];
}

import { ENVELOPE_VERSION } from '../../lambdas/core/envelope.ts';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { PUBLISH } from '../../lambdas/core/event-type.ts';
import { fromClauses } from './overlap.ts';

/** CloudFormation's default is 2015-10-08, which has no `encode` (AWS IoT Core, "SQL versions"). */
export const SQL_VERSION = '2016-03-23';

/** What a topic rule reads. */
export interface TopicRule {
  /** Type of the events that the messages become. */
  readonly eventType: string;
  readonly topicFilter: string;
  /** FROM clause, with the WHERE clause if the rule has one. */
  readonly from: string;
  /** Topic filters whose topics the WHERE clause excludes, because rules for these take the messages. @default - none */
  readonly excludes?: readonly string[];
}

// No column reads a field of the payload: SQL that does drops each message that is not JSON, without an error action.
const MESSAGE = [
  'newuuid() AS id',
  'traceid() AS trace',
  'topic() AS topic',
  'clientid() AS clientid',
  'principal() AS principal',
  'sourceip() AS sourceip',
  'timestamp() AS timestamp',
  `encode(*, 'base64') AS payload`,
  `get_mqtt_property('content_type') AS contentType`,
  `get_mqtt_property('format_indicator') AS formatIndicator`,
  `get_mqtt_property('response_topic') AS responseTopic`,
  `get_mqtt_property('correlation_data') AS correlationData`,
  'get_user_properties() AS userProperties',
].join(', ');

/** The SELECT clause that writes the whole message as an envelope of this event type. */
export function selectEnvelope(eventType: string): string {
  return `SELECT ${ENVELOPE_VERSION} AS v, '${eventType}' AS kind, ${MESSAGE}`;
}

/** Topic filters of EMQX and of MQTT clients on which AWS IoT Core's rules never receive a message. */
const OTHER_SOURCES: readonly (readonly [prefix: string, instead: string])[] = [
  ['$events/', "ClientEventsSource({ events: ['connected', …] }) for client events, or the topic filter of messages"],
  ['$share/', 'the topic filter without $share/<group>/: a rule receives each message once'],
  ['$queue/', 'the topic filter without $queue/: a rule receives each message once'],
  ['$bridges/', 'a topic filter of AWS IoT Core: no source reads another broker yet'],
];

/** A rule for each filter of published messages; no filter may cover another. */
export function publishRules(filters: readonly string[], option: string): TopicRule[] {
  for (const [i, filter] of filters.entries()) {
    const expected = OTHER_SOURCES.find(([prefix]) => filter.startsWith(prefix))?.[1];
    if (expected !== undefined) throw new InvalidOptionError(`${option}.${i}`, filter, expected);
  }
  return fromClauses(filters, option).map((clauses, i) => ({
    eventType: PUBLISH,
    topicFilter: filters[i]!,
    ...clauses,
  }));
}

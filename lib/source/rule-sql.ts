import { ENVELOPE_VERSION } from '../../lambdas/core/envelope.ts';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { PUBLISH } from '../../lambdas/core/event-type.ts';
import { coversTopicFilter, overlapTopicFilters, topicFilterRegExp } from '../../lambdas/core/topic-filter.ts';

/** CloudFormation's default is 2015-10-08, which has no `encode` (AWS IoT Core, "SQL versions"). */
export const SQL_VERSION = '2016-03-23';

/** What a topic rule reads. */
export interface TopicRule {
  /** Type of the events that the messages become. */
  readonly eventType: string;
  readonly topicFilter: string;
  /** FROM clause, with the WHERE clause if the rule has one. */
  readonly from: string;
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

/** A rule for each filter of published messages; no filter may cover another. */
export function publishRules(filters: readonly string[], option: string): TopicRule[] {
  return fromClauses(filters, option).map((from, i) => ({ eventType: PUBLISH, topicFilter: filters[i]!, from }));
}

/** FROM and WHERE clauses, one per filter; no filter may cover another. The earlier of two filters that overlap gets the message. */
export function fromClauses(filters: readonly string[], option: string): string[] {
  return filters.map((filter, i) => {
    const earlier = filters.slice(0, i).filter((other) => overlapTopicFilters(other, filter));
    const where = earlier.map((other) => `NOT regexp_matches(topic(), '${asRegExp(other, option)}')`).join(' AND ');
    return `FROM '${filter}'${where === '' ? '' : ` WHERE ${where}`}`;
  });
}

/** Removes filters that another one covers: their rules would never fire, because each message fires one rule. */
export function withoutCovered(filters: readonly string[]): string[] {
  return filters.filter(
    (filter, i) =>
      !filters.some(
        (other, j) => i !== j && coversTopicFilter(other, filter) && !(coversTopicFilter(filter, other) && i < j),
      ),
  );
}

function asRegExp(filter: string, option: string): string {
  const expression = topicFilterRegExp(filter);
  if (expression === undefined)
    throw new InvalidOptionError(
      option,
      filter,
      "a filter without '^' and '[', because it overlaps with a later filter",
    );
  return expression;
}

import { Annotations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import { overlapTopicFilters } from '../../lambdas/core/topic-filter.ts';
import { filtersBytes, MAX_SOURCE_FILTERS_BYTES, subscribedFilters } from '../../lambdas/source/mqtt/config.ts';

interface Subscribed {
  readonly topics: readonly string[];
  readonly shareGroup?: string;
}

/** @throws InvalidOptionError for topic filters that a source cannot subscribe to. */
export function checkTopics(scope: Construct, option: string, { topics, shareGroup }: Subscribed): void {
  for (const topic of topics) {
    const [, group, filter] = /^\$share\/([^/]*)\/(.*)$/.exec(topic) ?? [];
    if (group !== undefined)
      throw new InvalidOptionError(
        `${option}.topics`,
        topic,
        `'${filter}', with shareGroup: '${group}': the source makes the shared subscription`,
      );
  }
  const twice = topics.find((topic, index) => topics.indexOf(topic) !== index);
  if (twice !== undefined) throw new InvalidOptionError(`${option}.topics`, twice, 'each topic filter once');
  const bytes = filtersBytes(subscribedFilters({ filters: [...topics], shareGroup }));
  if (bytes > MAX_SOURCE_FILTERS_BYTES)
    throw new InvalidOptionError(
      `${option}.topics`,
      described(`topic filters of ${bytes} bytes`),
      `at most ${MAX_SOURCE_FILTERS_BYTES} bytes, because the parameter that keeps a session's subscriptions holds 4 KB: use wildcards, or several tasks`,
    );
  const overlap = topics.flatMap((one, index) =>
    topics
      .slice(index + 1)
      .filter((other) => overlapTopicFilters(one, other))
      .map((other) => [one, other] as const),
  )[0];
  if (overlap !== undefined)
    Annotations.of(scope).addWarningV2(
      'mqtt-outflow:overlappingTopics',
      `${option}.topics: ${overlap.join(' and ')} overlap, and some brokers send a message once for each of them`,
    );
}

export function warnOfSharing(scope: Construct, option: string, shareGroup: string, protocolVersion: 3 | 4 | 5): void {
  if (protocolVersion !== 5)
    Annotations.of(scope).addWarningV2(
      'mqtt-outflow:sharedSubscription',
      `${option}.shareGroup: shared subscriptions are part of MQTT 5; with protocolVersion ${protocolVersion}, some brokers take $share/${shareGroup}/… for a topic and deliver nothing`,
    );
  Annotations.of(scope).addWarningV2(
    'mqtt-outflow:absentMember',
    `${option}.shareGroup: some brokers, mosquitto among them, keep an absent session's share of the messages for it. After a smaller number of sessions, or without the task, these messages are lost when the session expires: delete its session in the broker`,
  );
}

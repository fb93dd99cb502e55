import type { TextConstraint } from '../../core/text-constraint.ts';

/** The limit for a topic's name with its namespace (class Validators of RocketMQ). */
const MAX_TOPIC_CHARACTERS = 127;
export const MAX_DELAY_LEVEL = 18;
/** The limit of proxies (rocketmq.apache.org, Parameter constraints). */
export const MAX_GROUP_CHARACTERS = 64;

/**
 * Topics that brokers and consumers use themselves (class TopicValidator of RocketMQ 5.5.0): a message in one of them may stop
 * all timed messages, or reach the consumers of another topic. Brokers also have topics of their own name and their cluster's.
 */
const SYSTEM_TOPICS = new Set(
  `TBW102 SCHEDULE_TOPIC_XXXX BenchmarkTest TRANS_CHECK_MAX_TIME_TOPIC SELF_TEST_TOPIC OFFSET_MOVED_EVENT CHECKPOINT_TOPIC
  DefaultCluster DefaultHeartBeatSyncerTopic`.split(/\s+/),
);
const SYSTEM_TOPIC = /^(rmq_sys_|%)|%(RETRY|DLQ|LMQ)%|_REPLY_TOPIC$/i;
/** Of a topic in the list of topics that a template may render: such a text is a prefix. */
const ANY_END = '*';

/** A topic's name, without the namespace it is in. */
export function topicConstraint(namespace?: string): TextConstraint {
  const longest = longestTopic(namespace);
  return {
    expected: `1 to ${longest} letters, digits, _, -, % and |, and no topic that RocketMQ reserves`,
    isMet: (name) => /^[%|a-zA-Z0-9_-]+$/.test(name) && name.length <= longest && !isSystemTopic(name),
    refused: /[^%|a-zA-Z0-9_-]/,
  };
}

/** The name of a topic that a message renders. @param allowed Names, and prefixes that end with `*`; undefined for all. */
export function renderedTopicConstraint(namespace?: string, allowed?: readonly string[]): TextConstraint {
  const longest = longestTopic(namespace);
  const among = allowed === undefined ? '' : ', that topics lists';
  return {
    expected: `1 to ${longest} letters, digits, _ and -${among}, and no topic that RocketMQ reserves`,
    isMet: (name) =>
      /^[a-zA-Z0-9_-]+$/.test(name) &&
      name.length <= longest &&
      !isSystemTopic(name) &&
      (allowed === undefined || allowed.some((one) => isWithin(name, one))),
    refused: /[^a-zA-Z0-9_-]/,
  };
}

/** Whether the text is a topic's name, or a prefix that ends with `*`. */
export function isTopicOrPrefix(text: string): boolean {
  return /^[a-zA-Z0-9_-]*(\*|[a-zA-Z0-9_-])$/.test(text);
}

function longestTopic(namespace: string | undefined): number {
  return MAX_TOPIC_CHARACTERS - (namespace === undefined ? 0 : namespace.length + 1);
}

function isSystemTopic(name: string): boolean {
  return SYSTEM_TOPICS.has(name) || SYSTEM_TOPIC.test(name);
}

function isWithin(name: string, allowed: string): boolean {
  return allowed.endsWith(ANY_END) ? name.startsWith(allowed.slice(0, -1)) : name === allowed;
}

/** The characters that Java trims, at either end. */
const TAG_REFUSED = /\||^[\0-\x20]|[\0-\x20]$/;

/** Consumers trim the tags that they subscribe to, and separate them by `||`. An empty text means no tag. */
export const TAG: TextConstraint = {
  expected: 'a text that is not blank, holds no | and neither begins nor ends with a space',
  isMet: (tag) => tag === '' || (tag.trim() !== '' && !TAG_REFUSED.test(tag)),
  refused: TAG_REFUSED,
};

/** An empty text means no group. Only proxies constrain groups. */
export const GROUP_BY_PROXIES: TextConstraint = {
  expected: `a text of at most ${MAX_GROUP_CHARACTERS} characters that is not blank`,
  isMet: (group) => group === '' || (group.trim() !== '' && group.length <= MAX_GROUP_CHARACTERS),
};

export const DELAY_LEVEL = wholeNumber(MAX_DELAY_LEVEL);
/** The end of the year 9999, the last time that proxies can read (protobuf, Timestamp). */
export const MAX_TIME_MS = 253_402_300_799_999;
export const DELIVER_AT = wholeNumber(MAX_TIME_MS);

/** An empty text means 0. Devices that count in floats write 7 as 7.0. */
function wholeNumber(max: number): TextConstraint {
  return {
    expected: `a whole number up to ${max}`,
    isMet: (text) => /^(\d+(\.0+)?)?$/.test(text) && Number(text) <= max,
    refused: /[^\d.]/,
  };
}

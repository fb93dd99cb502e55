import type { TextConstraint } from '../../core/text-constraint.ts';

/** The limit for a topic's name with its namespace (class Validators of RocketMQ). */
const MAX_TOPIC_CHARACTERS = 127;
export const MAX_DELAY_LEVEL = 18;
/** The limit of proxies (rocketmq.apache.org, Parameter constraints). */
export const MAX_GROUP_CHARACTERS = 64;

/** A topic's name, without the namespace it is in. */
export function topicConstraint(namespace?: string): TextConstraint {
  const longest = MAX_TOPIC_CHARACTERS - (namespace === undefined ? 0 : namespace.length + 1);
  return {
    expected: `1 to ${longest} letters, digits, _, -, % and |`,
    isMet: (name) => /^[%|a-zA-Z0-9_-]+$/.test(name) && name.length <= longest,
    refused: /[^%|a-zA-Z0-9_-]/,
  };
}

/** An empty text means no tag. */
export const TAG: TextConstraint = {
  expected: 'a text that is not blank and holds no |',
  isMet: (tag) => tag === '' || (tag.trim() !== '' && !tag.includes('|')),
  refused: /\|/,
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

/** An empty text means 0. */
function wholeNumber(max: number): TextConstraint {
  return {
    expected: `a whole number up to ${max}`,
    isMet: (text) => !/\D/.test(text) && Number(text) <= max,
    refused: /\D/,
  };
}

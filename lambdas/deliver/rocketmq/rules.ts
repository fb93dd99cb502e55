import type { TextConstraint } from '../../core/text-constraint.ts';

/** Of a topic's name, namespace included (RocketMQ, class Validators). */
const MAX_TOPIC_CHARACTERS = 127;
export const MAX_DELAY_LEVEL = 18;
/** rocketmq.apache.org, Parameter constraints. */
export const MAX_GROUP_CHARACTERS = 64;

/** A topic's name beside its namespace. */
export function topicRule(namespace?: string): TextConstraint {
  const longest = MAX_TOPIC_CHARACTERS - (namespace === undefined ? 0 : namespace.length + 1);
  return {
    expected: `1 to ${longest} letters, digits, _, -, % and |`,
    isMet: (name) => /^[%|a-zA-Z0-9_-]+$/.test(name) && name.length <= longest,
    refused: /[^%|a-zA-Z0-9_-]/,
  };
}

/** Nothing at all is no tag. */
export const TAG: TextConstraint = {
  expected: 'a text that is not blank and holds no |',
  isMet: (tag) => tag === '' || (tag.trim() !== '' && !tag.includes('|')),
  refused: /\|/,
};

/** Nothing at all is no group. Name servers' brokers take any. */
export const GROUP_BY_PROXIES: TextConstraint = {
  expected: `a text of at most ${MAX_GROUP_CHARACTERS} characters that is not blank`,
  isMet: (group) => group === '' || (group.trim() !== '' && group.length <= MAX_GROUP_CHARACTERS),
};

export const DELAY_LEVEL = wholeNumber(MAX_DELAY_LEVEL);
export const DELIVER_AT = wholeNumber(Number.MAX_SAFE_INTEGER);

/** Nothing at all is 0. */
function wholeNumber(max: number): TextConstraint {
  return {
    expected: `a whole number up to ${max}`,
    isMet: (text) => !/\D/.test(text) && Number(text) <= max,
    refused: /\D/,
  };
}

import type { TextConstraint } from '../text-constraint.ts';
import { MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES } from '../topic-filter.ts';

/** Which topic names a sink may publish to. */
export interface TopicNameRules {
  /** Limit of the topic name in UTF-8. */
  readonly maxBytes: number;
  /** @default - no limit */
  readonly maxSlashes?: number;
  /** Whether the name may begin with `$`, as the topics of servers do (MQTT 5, section 4.7.2). @default false */
  readonly mayBeSystem?: boolean;
  /** Topic names, and prefixes that end with `*`, that the name must be among. @default - all */
  readonly allowed?: readonly string[] | undefined;
}

/** The limit of any MQTT server (MQTT 5, section 1.5.4). */
export const MQTT_TOPIC_LIMITS = { maxBytes: 65_535 } as const;
/** The limits of AWS IoT Core (AWS General Reference, "AWS IoT Core endpoints and quotas"). */
export const IOT_CORE_TOPIC_LIMITS = { maxBytes: MAX_TOPIC_BYTES, maxSlashes: MAX_TOPIC_SLASHES } as const;

/** Of an allowed topic: such a text is a prefix. */
const ANY_END = '*';

// MQTT 5 forbids wildcards and NUL (section 4.7). A server may close the connection for the other characters (section 1.5.4).
const REFUSED = /[+#]|[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;
const REFUSED_OR_SYSTEM = /^\$|[+#]|[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

/** Constrains a topic name to publish to. */
export function topicNameConstraint({ maxBytes, maxSlashes, mayBeSystem, allowed }: TopicNameRules): TextConstraint {
  const refused = mayBeSystem === true ? REFUSED : REFUSED_OR_SYSTEM;
  const isListed = allowed && allowList(allowed);
  const limits = [
    `1 to ${maxBytes} bytes`,
    ...(maxSlashes === undefined ? [] : [`at most ${maxSlashes} slashes`]),
    `no +, # or control character${mayBeSystem === true ? '' : ' and no $ at the beginning'}`,
  ];
  return {
    expected: `a topic name${isListed === undefined ? '' : ' that topics lists'}: ${limits.join(', ')}`,
    isMet: (topic) =>
      topic !== '' &&
      !refused.test(topic) &&
      Buffer.byteLength(topic) <= maxBytes &&
      (maxSlashes === undefined || slashes(topic) <= maxSlashes) &&
      (isListed === undefined || isListed(topic)),
    refused,
  };
}

/** Whether the text is a topic name, or a prefix of topic names that ends with `*`. */
export function isTopicNameOrPrefix(text: string, rules: TopicNameRules): boolean {
  const name = text.endsWith(ANY_END) ? text.slice(0, -1) : text;
  return name !== '' && !name.includes(ANY_END) && topicNameConstraint(rules).isMet(name);
}

/** Returns whether a topic is among topic names and prefixes that end with `*`. */
function allowList(allowed: readonly string[]): (topic: string) => boolean {
  const names = new Set(allowed);
  const prefixes = allowed.filter((text) => text.endsWith(ANY_END)).map((text) => text.slice(0, -1));
  return (topic) => names.has(topic) || prefixes.some((prefix) => topic.startsWith(prefix));
}

function slashes(topic: string): number {
  let count = 0;
  for (const character of topic) if (character === '/') count++;
  return count;
}

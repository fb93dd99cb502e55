import { MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES } from '../../../lambdas/core/topic-filter.ts';
import { ConnectionViolation, reasonCodes } from './violation.ts';

/** The quotas of AWS IoT Core: https://docs.aws.amazon.com/general/latest/gr/iot-core.html */
export const quotas = {
  payloadBytes: 128 * 1024,
  packetBytes: 146 * 1024,
  topicBytes: MAX_TOPIC_BYTES,
  topicSlashes: MAX_TOPIC_SLASHES,
  clientIdBytes: 128,
  userPropertiesBytes: 8 * 1024,
  correlationDataBytes: 8 * 1024,
  contentTypeBytes: 256,
  filtersPerSubscribe: 8,
  subscriptionsPerConnection: 50,
  topicAliasMaximum: 8,
  /** QoS 1 messages to a client without a PUBACK, and publishes of a client that are not processed yet. */
  unacknowledged: 100,
  keepAliveSeconds: { min: 30, max: 1200 },
  sessionExpirySeconds: 3600,
  messageExpirySeconds: { min: 1, max: 604_800 },
  /** Limits of this broker for a client that does not read. AWS IoT Core limits rates instead. */
  queuedMessages: 100_000,
  retainedMessages: 5_000,
  /** A limit of this broker: AWS IoT Core limits the number alone. */
  retainedBytes: 64 * 1024 * 1024,
  unreadBytes: 16 * 1024 * 1024,
} as const;

const basicIngest = /^\$aws\/rules\/[^/]+(?:\/|$)/;
const sharePrefix = /^\$share\/[^/]+\//;

/** The rule that a Basic Ingest topic names, `$aws/rules/<rule>/…`; undefined for other topics. */
export function basicIngestRule(topic: string): string | undefined {
  return isBasicIngest(topic) ? topic.split('/')[2] : undefined;
}

/** Whether it is a Basic Ingest topic: the message goes to one rule and not to subscribers. */
export function isBasicIngest(topic: string): boolean {
  return basicIngest.test(topic);
}

/** The topic without `$aws/rules/<rule>/` or `$share/<name>/`, which do not count towards its length and depth. */
function countedPart(topic: string): string {
  return topic.replace(basicIngest, '').replace(sharePrefix, '');
}

function exceeds(topic: string): boolean {
  const rest = countedPart(topic);
  return Buffer.byteLength(rest) > quotas.topicBytes || rest.split('/').length - 1 > quotas.topicSlashes;
}

/** @throws ConnectionViolation when clients must not publish to the topic. */
export function assertPublishable(topic: string): void {
  if (topic === '' || /[+#\0\uFFFE\uFFFF]/.test(topic)) {
    throw new ConnectionViolation(
      `topic: got ${JSON.stringify(topic)}; expected a topic name without wildcards, U+FFFE and U+FFFF`,
      reasonCodes.topicNameInvalid,
    );
  }
  if (exceeds(topic)) {
    throw new ConnectionViolation(
      `topic: got ${topic}; expected at most ${quotas.topicBytes} bytes and ${quotas.topicSlashes} slashes`,
      reasonCodes.topicNameInvalid,
    );
  }
  if (isReserved(topic)) {
    throw new ConnectionViolation(
      `topic: got ${topic}, which is reserved for AWS IoT Core`,
      reasonCodes.notAuthorized,
      'FORBIDDEN_ACCESS',
    );
  }
}

/** Topics with `$` belong to AWS. Clients may publish to those under `$aws/`, except events and a rule topic without a rule. */
function isReserved(topic: string): boolean {
  if (!topic.startsWith('$')) return false;
  if (topic.startsWith('$aws/rules')) return !isBasicIngest(topic);
  return !topic.startsWith('$aws/') || topic.startsWith('$aws/events');
}

/** A parsed topic filter; `share` is the group's name in `$share/<share>/<filter>`. */
export interface ParsedFilter {
  share?: string;
  filter: string;
}

/** @throws ConnectionViolation when the filter breaks MQTT's syntax or the quotas. */
export function parseFilter(text: string): ParsedFilter {
  const shared = /^\$share\/([^/+#]+)\/([\s\S]+)$/.exec(text);
  const filter = shared?.[2] ?? text;
  const misplaced = filter.split('/').some((level, index, levels) => {
    if (level === '+' || (level === '#' && index === levels.length - 1)) return false;
    return /[+#]/.test(level);
  });
  // mqtt-packet replaces bytes that are not UTF-8 by U+FFFD.
  if (filter === '' || misplaced || /[\0\uFFFD]/.test(text) || (!shared && text.startsWith('$share'))) {
    throw new ConnectionViolation(
      `topic filter: got ${JSON.stringify(text)}; expected one in MQTT's syntax`,
      reasonCodes.topicFilterInvalid,
    );
  }
  if (exceeds(text)) {
    throw new ConnectionViolation(
      `topic filter: got ${text}; expected at most ${quotas.topicBytes} bytes and ${quotas.topicSlashes} slashes`,
      reasonCodes.topicFilterInvalid,
    );
  }
  return shared?.[1] === undefined ? { filter } : { share: shared[1], filter };
}

/** Basic Ingest topics have no subscribers. */
export function isSubscribable({ filter }: ParsedFilter): boolean {
  return !filter.startsWith('$aws/rules');
}

import { MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES } from '../../../lambdas/core/topic-filter.ts';
import { ConnectionViolation, reasonCodes } from './violation.ts';

/** AWS IoT Core's quotas: https://docs.aws.amazon.com/general/latest/gr/iot-core.html */
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
  /** QoS 1 messages sent to a client and not yet acknowledged, and publishes of a client not yet taken. */
  unacknowledged: 100,
  keepAliveSeconds: { min: 30, max: 1200 },
  sessionExpirySeconds: 3600,
  messageExpirySeconds: { min: 1, max: 604_800 },
  /** Ours, so that a lost reader cannot fill memory: AWS has rates instead. */
  queuedMessages: 100_000,
  unreadBytes: 16 * 1024 * 1024,
} as const;

const basicIngest = /^\$aws\/rules\/[^/]+(?:\/|$)/;
const sharePrefix = /^\$share\/[^/]+\//;

/** Basic Ingest: the message goes to one rule and to nobody else. */
export function isBasicIngest(topic: string): boolean {
  return basicIngest.test(topic);
}

/** The parts AWS leaves out of the length and depth of a topic: `$aws/rules/<rule>/`, `$share/<name>/`. */
function counted(topic: string): string {
  return topic.replace(basicIngest, '').replace(sharePrefix, '');
}

function exceeds(topic: string): boolean {
  const rest = counted(topic);
  return Buffer.byteLength(rest) > quotas.topicBytes || rest.split('/').length - 1 > quotas.topicSlashes;
}

/** Throws unless a client may publish to the topic. */
export function assertPublishable(topic: string): void {
  if (topic === '' || /[+#\0]/.test(topic)) {
    throw new ConnectionViolation(`not a topic name: ${JSON.stringify(topic)}`, reasonCodes.topicNameInvalid);
  }
  if (exceeds(topic)) {
    throw new ConnectionViolation(
      `topic over ${quotas.topicBytes} bytes or ${quotas.topicSlashes} slashes: ${topic}`,
      reasonCodes.topicNameInvalid,
    );
  }
  if (isReserved(topic)) {
    throw new ConnectionViolation(`topic reserved for AWS: ${topic}`, reasonCodes.notAuthorized, 'FORBIDDEN_ACCESS');
  }
}

/** `$` topics belong to AWS; of its own, clients may publish to all but the events and a bare `$aws/rules`. */
function isReserved(topic: string): boolean {
  if (!topic.startsWith('$')) return false;
  if (topic.startsWith('$aws/rules')) return !isBasicIngest(topic);
  return !topic.startsWith('$aws/') || topic.startsWith('$aws/events');
}

/** A subscription's filter taken apart: `share` is the group's name in `$share/<share>/<filter>`. */
export interface ParsedFilter {
  share?: string;
  filter: string;
}

/** Throws when the filter breaks MQTT's syntax or AWS's quotas. */
export function parseFilter(text: string): ParsedFilter {
  const shared = /^\$share\/([^/+#]+)\/([\s\S]+)$/.exec(text);
  const filter = shared?.[2] ?? text;
  const misplaced = filter.split('/').some((level, index, levels) => {
    if (level === '+' || (level === '#' && index === levels.length - 1)) return false;
    return /[+#]/.test(level);
  });
  // U+FFFD is what mqtt-packet makes of bytes that are no UTF-8.
  if (filter === '' || misplaced || /[\0\uFFFD]/.test(text) || (!shared && text.startsWith('$share'))) {
    throw new ConnectionViolation(`not a topic filter: ${JSON.stringify(text)}`, reasonCodes.topicFilterInvalid);
  }
  if (exceeds(text)) {
    throw new ConnectionViolation(
      `filter over ${quotas.topicBytes} bytes or ${quotas.topicSlashes} slashes: ${text}`,
      reasonCodes.topicFilterInvalid,
    );
  }
  return shared?.[1] === undefined ? { filter } : { share: shared[1], filter };
}

/** Basic Ingest topics cannot be listened to. */
export function isSubscribable({ filter }: ParsedFilter): boolean {
  return !filter.startsWith('$aws/rules');
}

import * as z from 'zod';
import { deployTime } from '../../core/deploy-time.ts';
import { expression, isJsonPath, literalOfExpression } from '../../core/jsonpath/expression.ts';
import { jsonObject } from '../../core/jsonpath/object.ts';
import { MQTT_PROPERTY_OPTIONS, mqttPropertyOptions } from '../../core/mqtt/properties.ts';
import { qosOption } from '../../core/mqtt/quality-of-service.ts';
import { retainOption } from '../../core/mqtt/retain.ts';
import { IOT_CORE_TOPIC_LIMITS, isTopicNameOrPrefix, topicNameConstraint } from '../../core/mqtt/topic-name.ts';
import { parseTemplate } from '../../core/template/parse.ts';
import { meets } from '../../core/text-constraint.ts';

/** The highest QoS of AWS IoT Core. */
export const MAX_QOS = 1;
/** Limits of a message (AWS General Reference, "AWS IoT Core endpoints and quotas"). */
export const MAX_PAYLOAD_BYTES = 128 * 1024;
export const MAX_EXPIRY_SECONDS = 604_800;

/** Returns the text before a template's first placeholder; the empty text for a JSONPath. */
export function literalStart(topic: string): string {
  if (isJsonPath(topic)) return '';
  const [first] = parseTemplate(topic);
  return typeof first === 'string' ? first : '';
}

export const TOPIC = topicNameConstraint(IOT_CORE_TOPIC_LIMITS);

const topic = expression.min(1).check(meets(TOPIC, literalOfExpression), ({ value, issues }) => {
  if (literalStart(value).startsWith('$'))
    issues.push({ code: 'custom', message: 'a topic that does not begin with $', input: value });
});

/** Options of the republish sink in a task's spec. Texts are templates, or JSONPaths over the event. */
export const republishOptions = z.strictObject({
  type: z.literal('republish'),
  /** A topic name of AWS IoT Core once rendered, none that begins with `$`. */
  topic: z.union([topic, deployTime]),
  /** Topics that a template or JSONPath may name: names, and prefixes that end with `*`. */
  topics: z
    .array(
      z
        .string()
        .refine(
          (text) => isTopicNameOrPrefix(text, IOT_CORE_TOPIC_LIMITS) && !text.includes('${'),
          'a topic name, or a prefix of topic names that ends with *',
        ),
    )
    .min(1)
    .max(1_000)
    .optional(),
  /** 2 is delivered as 1. */
  qos: qosOption.default(1),
  retain: retainOption.default(false),
  /** The message's payload. Blank forwards the whole rule output as JSON, `${payload}` the original bytes; an object makes JSON of its values. */
  payload: z.union([expression, jsonObject]).default(''),
  ...mqttPropertyOptions,
  /** At most a week; a longer time that a message renders is shortened to that. */
  messageExpirySeconds: z.union([z.int().min(1).max(MAX_EXPIRY_SECONDS), expression.min(1)]).optional(),
  /** How often a message may be republished by any task. */
  maxHops: z.int().min(1).max(1_000).default(8),
  /** Calls at a time in one sandbox. */
  inflightWindow: z.int().min(1).max(1_000).default(32),
});

/** Options that a route may override. */
export const REPUBLISH_ROUTED = ['topic', 'qos', 'retain', 'payload', ...MQTT_PROPERTY_OPTIONS] as const;

export type RepublishOptions = z.output<typeof republishOptions>;

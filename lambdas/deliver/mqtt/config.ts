import * as z from 'zod';
import { deployTime } from '../../core/deploy-time.ts';
import { expression, literalOfExpression } from '../../core/jsonpath/expression.ts';
import { jsonObject } from '../../core/jsonpath/object.ts';
import { MQTT_PROPERTY_OPTIONS, mqttPropertyOptions } from '../../core/mqtt/properties.ts';
import { qosOption } from '../../core/mqtt/quality-of-service.ts';
import { retainOption } from '../../core/mqtt/retain.ts';
import { isTopicNameOrPrefix, MQTT_TOPIC_LIMITS, topicNameConstraint } from '../../core/mqtt/topic-name.ts';
import { meets } from '../../core/text-constraint.ts';
import { mqttConnection, staticClientIds } from '../../net/mqtt/options.ts';

/** The default of `poolSize`. */
export const POOL_SIZE = 1;
/** The longest payload: MQTT's limit of a packet is 256 MiB; a message of a buffer has at most 1 MiB. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** A topic that the task names may be one of a server, such as `$iothub/…`; one that a message renders may not. */
export const TOPIC = topicNameConstraint({ ...MQTT_TOPIC_LIMITS, mayBeSystem: true });

/** Options of the MQTT sink in a task's spec. Texts are templates, or JSONPaths over the event. */
export const mqttOptions = z.strictObject({
  type: z.literal('mqtt'),
  ...mqttConnection,
  /** Connections of one sandbox. */
  poolSize: z.int().min(1).max(100).default(POOL_SIZE),
  /** The client id of each shard of the task's buffer, in place of a pool. */
  staticClientIds: staticClientIds.optional(),
  topic: z.union([expression.min(1).check(meets(TOPIC, literalOfExpression)), deployTime]),
  /** Topics that a template or JSONPath may name: names, and prefixes that end with `*`. By default all but those that begin with `$`. */
  topics: z
    .array(
      z
        .string()
        .refine(
          (text) => isTopicNameOrPrefix(text, MQTT_TOPIC_LIMITS),
          'a topic name, with * at the end of a prefix, and no $ at the beginning',
        ),
    )
    .min(1)
    .max(1_000)
    .optional(),
  qos: qosOption.default(1),
  retain: retainOption.default(false),
  /** The message's payload. Blank forwards the whole rule output as JSON, `${payload}` the original bytes; an object makes JSON of its values. */
  payload: z.union([expression, jsonObject]).default(''),
  ...mqttPropertyOptions,
  /** Messages in flight at a time in one connection, if the broker allows that many. */
  inflightWindow: z.int().min(1).max(65_535).default(100),
  /** Longest wait for the broker's acknowledgement of a message. */
  publishTimeoutMs: z.int().min(100).max(30_000).default(5_000),
  maxMessageBytes: z.int().min(1).max(MAX_MESSAGE_BYTES).default(MAX_MESSAGE_BYTES),
});

/** Options that a route may override. */
export const MQTT_ROUTED = ['topic', 'qos', 'retain', 'payload', ...MQTT_PROPERTY_OPTIONS] as const;

export type MqttOptions = z.output<typeof mqttOptions>;

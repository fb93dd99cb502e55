import * as z from 'zod';
import { deployTime } from '../../core/deploy-time.ts';
import { expression, literalOfExpression } from '../../core/jsonpath/expression.ts';
import { jsonObject } from '../../core/jsonpath/object.ts';
import { MQTT_PROPERTY_OPTIONS, mqttPropertyOptions } from '../../core/mqtt/properties.ts';
import { qosOption } from '../../core/mqtt/quality-of-service.ts';
import { retainOption } from '../../core/mqtt/retain.ts';
import { isTopicNameOrPrefix, MQTT_TOPIC_LIMITS, topicNameConstraint } from '../../core/mqtt/topic-name.ts';
import { meets } from '../../core/text-constraint.ts';
import { parseServer } from './server.ts';

/** Environment variables of a worker: the ARNs of its secrets, never their text. */
export const CREDENTIALS_SECRET_ARN = 'CREDENTIALS_SECRET_ARN';
export const CLIENT_CERTIFICATE_SECRET_ARN = 'CLIENT_CERTIFICATE_SECRET_ARN';
export const CA_SECRET_ARN = 'CA_SECRET_ARN';

/** The default of `poolSize`. */
export const POOL_SIZE = 1;
/** The longest payload: MQTT's limit of a packet is 256 MiB; a message of a buffer has at most 1 MiB. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** A topic that the task names may be one of a server, such as `$iothub/…`; one that a message renders may not. */
export const TOPIC = topicNameConstraint({ ...MQTT_TOPIC_LIMITS, mayBeSystem: true });

const server = z.string().check((context) => {
  const found = parseServer(context.value);
  if (typeof found === 'string') context.issues.push({ code: 'custom', message: found, input: context.value });
});

/** Options of a connection to a broker, which sinks and sources share. */
export const mqttConnection = {
  /** `mqtt://host:port` or `mqtts://host:port`; the port is 1883 or 8883 by default. */
  server: z.union([server, deployTime]),
  /** 3 is MQTT 3.1, 4 is MQTT 3.1.1. */
  protocolVersion: z.union([z.literal(3), z.literal(4), z.literal(5)]).default(5),
  /** Client ids are `<prefix>:<name><8 hexadecimal digits>:<number>`. */
  clientIdPrefix: z.string().min(1).max(64).optional(),
  /** Name of the connector. */
  name: z.string().max(64).default('outflow'),
  /** Seconds between PINGREQ packets of an idle connection, times 4/3; 0 sends none. */
  keepaliveSeconds: z.int().min(0).max(65_535).default(60),
  connectTimeoutMs: z.int().min(100).max(30_000).default(10_000),
  /** Certificate authorities in PEM. By default those that Node trusts. */
  ca: z.string().min(1).optional(),
  /** The name that the server's certificate must carry, which is sent as SNI. By default the host. */
  serverName: z.string().min(1).optional(),
};

/** Options of the MQTT sink in a task's spec. Texts are templates, or JSONPaths over the event. */
export const mqttOptions = z.strictObject({
  type: z.literal('mqtt'),
  ...mqttConnection,
  /** Connections of one sandbox. */
  poolSize: z.int().min(1).max(100).default(POOL_SIZE),
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

import type { Resolved } from '../../core/deploy-time.ts';
import { NeverRetry } from '../../core/errors.ts';
import { compileExpression, isRendered } from '../../core/jsonpath/expression.ts';
import { compileObject } from '../../core/jsonpath/object.ts';
import { hopsOf, withHops } from '../../core/mqtt/hops.ts';
import { compileMqttProperties, type MqttProperties } from '../../core/mqtt/properties.ts';
import { compileQos } from '../../core/mqtt/quality-of-service.ts';
import { compileRetain } from '../../core/mqtt/retain.ts';
import { IOT_CORE_TOPIC_LIMITS, topicNameConstraint } from '../../core/mqtt/topic-name.ts';
import { redactedText } from '../../core/redacted-text.ts';
import type { MissingVariable } from '../../core/template/template.ts';
import type { Render } from '../sink.ts';
import { MAX_EXPIRY_SECONDS, MAX_PAYLOAD_BYTES, MAX_QOS, type RepublishOptions } from './config.ts';

export interface RepublishRequest {
  readonly topic: string;
  /** Whether the message named the topic: a topic that the worker may not use is then the message's fault, not the task's. */
  readonly isTopicRendered: boolean;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** Whether the message decided on the flag: without the permission to retain, it is then the message's fault. */
  readonly isRetainRendered: boolean;
  readonly payload: Uint8Array;
  readonly properties: MqttProperties;
}

/** Limits of the properties in bytes (AWS General Reference, "AWS IoT Core endpoints and quotas"). */
const LIMITS = { userProperties: 8 * 1024, correlationData: 8 * 1024, contentType: 256, responseTopic: 256 } as const;

/** Compiles the options to a function that makes requests; it throws NeverRetry for a request that AWS IoT Core would refuse. */
export function compileRepublish(
  options: Resolved<RepublishOptions>,
  missingVariable: MissingVariable,
): Render<RepublishRequest> {
  const topic = compileExpression(options.topic, missingVariable);
  const isTopicRendered = isRendered(options.topic);
  const { isMet, expected, refused } = topicNameConstraint({ ...IOT_CORE_TOPIC_LIMITS, allowed: options.topics });
  const qosOf = compileQos(options.qos, missingVariable);
  const isRetainRendered = typeof options.retain === 'string' && isRendered(options.retain);
  const retainOf = compileRetain(options.retain, missingVariable);
  const propertiesOf = compileMqttProperties(options, missingVariable);
  const payload =
    typeof options.payload === 'string'
      ? compileExpression(options.payload === '' ? '${.}' : options.payload, missingVariable)
      : compileObject(options.payload, missingVariable);

  return (scope, event, envelope) => {
    const hops = envelope === undefined ? 0 : hopsOf(envelope);
    if (hops >= options.maxHops)
      throw new NeverRetry(
        'REJECTED',
        `the message was republished ${hops} times; expected at most ${options.maxHops} (maxHops): its topic leads back to a task`,
      );
    const bytes = payload.bytes(scope, event);
    if (bytes.length > MAX_PAYLOAD_BYTES)
      throw new NeverRetry(
        'MESSAGE_TOO_LARGE',
        `the payload has ${bytes.length} bytes; expected at most ${MAX_PAYLOAD_BYTES}, the limit of AWS IoT Core`,
      );
    const name = topic.text(scope, event) ?? '';
    // A name that was unknown until deployment is the task's fault: the sink judges it.
    // A rendered text may come from a publisher, so it is not repeated word for word.
    if (isTopicRendered && !isMet(name))
      throw new NeverRetry('INVALID_TARGET', `topic rendered to ${redactedText(name, refused)}; expected ${expected}`);
    return {
      topic: name,
      isTopicRendered,
      qos: Math.min(qosOf(scope, event), MAX_QOS) as 0 | 1,
      retain: retainOf(scope, event),
      isRetainRendered,
      payload: bytes,
      properties: limited(withHops(propertiesOf(scope, event), hops + 1)),
    };
  };
}

/** Applies the limits of AWS IoT Core. @throws NeverRetry REJECTED */
function limited(properties: MqttProperties): MqttProperties {
  const { messageExpirySeconds } = properties;
  const { userProperties, correlationData, contentType = '', responseTopic = '' } = properties;
  const sizes: Record<keyof typeof LIMITS, number> = {
    userProperties: userProperties.reduce(
      (sum, pair) => sum + Buffer.byteLength(pair[0]) + Buffer.byteLength(pair[1]),
      0,
    ),
    correlationData: correlationData?.length ?? 0,
    contentType: Buffer.byteLength(contentType),
    responseTopic: Buffer.byteLength(responseTopic),
  };
  for (const [option, limit] of Object.entries(LIMITS) as [keyof typeof LIMITS, number][])
    if (sizes[option] > limit)
      throw new NeverRetry(
        'REJECTED',
        `${option} rendered to ${sizes[option]} bytes; expected at most ${limit}, the limit of AWS IoT Core`,
      );
  if (messageExpirySeconds === undefined || messageExpirySeconds <= MAX_EXPIRY_SECONDS) return properties;
  return { ...properties, messageExpirySeconds: MAX_EXPIRY_SECONDS };
}

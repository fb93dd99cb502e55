import type { Resolved } from '../../core/deploy-time.ts';
import type { Envelope } from '../../core/envelope.ts';
import { NeverRetry } from '../../core/errors.ts';
import { compileExpression, isRendered } from '../../core/jsonpath/expression.ts';
import { compileObject } from '../../core/jsonpath/object.ts';
import { hopsOf, withHops } from '../../core/mqtt/hops.ts';
import { compileMqttProperties, type MqttProperties } from '../../core/mqtt/properties.ts';
import { compileQos } from '../../core/mqtt/quality-of-service.ts';
import { compileRetain } from '../../core/mqtt/retain.ts';
import { MQTT_TOPIC_LIMITS, topicNameConstraint } from '../../core/mqtt/topic-name.ts';
import { redactedText } from '../../core/redacted-text.ts';
import type { MissingVariable } from '../../core/template/template.ts';
import type { Render } from '../sink.ts';
import type { MqttOptions } from './config.ts';
import type { MqttRequest } from './message.ts';

/** Compiles the options to a function that makes requests; it throws NeverRetry for a request that no broker would accept. */
export function compileMqtt(options: Resolved<MqttOptions>, missingVariable: MissingVariable): Render<MqttRequest> {
  const topic = compileExpression(options.topic, missingVariable);
  const isTopicRendered = isRendered(options.topic);
  const isRetainRendered = typeof options.retain === 'string' && isRendered(options.retain);
  const { isMet, expected, refused } = topicNameConstraint({ ...MQTT_TOPIC_LIMITS, allowed: options.topics });
  const payload =
    typeof options.payload === 'string'
      ? compileExpression(options.payload === '' ? '${.}' : options.payload, missingVariable)
      : compileObject(options.payload, missingVariable);
  const qos = compileQos(options.qos, missingVariable);
  const retain = compileRetain(options.retain, missingVariable);
  const properties = compileMqttProperties(options, missingVariable);

  return (scope, event, envelope) => {
    const bytes = payload.bytes(scope, event);
    if (bytes.length > options.maxMessageBytes)
      throw new NeverRetry(
        'MESSAGE_TOO_LARGE',
        `the payload has ${bytes.length} bytes; expected at most ${options.maxMessageBytes} (maxMessageBytes)`,
      );
    const name = topic.text(scope, event) ?? '';
    // A name that was unknown until deployment is the task's fault: the sink judges it.
    if (isTopicRendered && !isMet(name))
      throw new NeverRetry('INVALID_TARGET', `topic rendered to ${redactedText(name, refused)}; expected ${expected}`);
    return {
      topic: name,
      isTopicRendered,
      payload: bytes,
      qos: qos(scope, event),
      retain: retain(scope, event),
      isRetainRendered,
      properties: carryingHops(properties(scope, event), envelope),
    };
  };
}

/** Keeps the count of a message that was republished, so that a loop through a broker of MQTT 5 ends too. */
function carryingHops(properties: MqttProperties, envelope: Envelope | undefined): MqttProperties {
  const hops = envelope === undefined ? 0 : hopsOf(envelope);
  return hops === 0 ? properties : withHops(properties, hops);
}

import type { Duration } from 'aws-cdk-lib';
import { checkOption, DURATION, either, STRING } from '../props.ts';
import { wholeSeconds } from '../whole-seconds.ts';

/**
 * The parts of an MQTT message. Each text is a template over the rule output (`${clientid}`) or, if it begins with `$.` or `$[`, a
 * JSONPath over the event (`$.data.body.id`). A message for which the text of a property renders nothing has no such property.
 */
export interface MqttMessageProps {
  /**
   * QoS: 0, 1, 2, or a text that renders to one. `${qos}` is the QoS of the received message, or 0 if it is not known.
   *
   * @default 1
   */
  readonly qos?: 0 | 1 | 2 | string;
  /**
   * Whether the broker retains the message: a boolean, or a text that renders to one. `${flags.retain}` is the flag of the received
   * message, or false if it is not known.
   *
   * @default false
   */
  readonly retain?: boolean | string;
  /**
   * The payload. `${payload}` forwards the original bytes. An object becomes JSON; each of its values is a template, a JSONPath or a
   * constant. The match of a JSONPath keeps its type, and is null if there is none.
   *
   * @default - the whole rule output as JSON
   */
  readonly payload?: string | Readonly<Record<string, string | number | boolean | null>>;
  /**
   * User properties, in MQTT 5: a JSONPath that finds an object, such as `$.data.userProperties`, or a text per name. A list gives the
   * name once for each of its elements.
   *
   * @default - none
   */
  readonly userProperties?: string | Readonly<Record<string, string>>;
  /**
   * Content type, in MQTT 5.
   *
   * @default - none
   */
  readonly contentType?: string;
  /**
   * Response topic, in MQTT 5.
   *
   * @default - none
   */
  readonly responseTopic?: string;
  /**
   * Correlation data, in MQTT 5: base64 of at most 65,535 bytes.
   *
   * @default - none
   */
  readonly correlationData?: string;
  /**
   * Message expiry interval, in MQTT 5: the time for which a broker keeps the message for a receiver. A duration in whole seconds, or a
   * text that renders to seconds.
   *
   * @default - the time that the message has left of the task's `requestTtl`; none without one
   */
  readonly messageExpiry?: Duration | string;
  /**
   * Payload format indicator, in MQTT 5: 1 or `UTF8_DATA` for text, 0 or `UNSPECIFIED_BYTES` for other bytes.
   *
   * @default - none
   */
  readonly payloadFormatIndicator?: 0 | 1 | string;
}

/**
 * The parts of a message as a spec has them.
 *
 * @param sink Name of the sink, for errors.
 */
export function mqttMessageSpec<Options extends MqttMessageProps>(
  sink: string,
  { messageExpiry, ...options }: Options,
): object {
  const option = `${sink}.messageExpiry`;
  checkOption(option, messageExpiry, either(STRING, DURATION));
  if (messageExpiry === undefined) return options;
  const seconds = typeof messageExpiry === 'string' ? messageExpiry : wholeSeconds(messageExpiry, option);
  return { ...options, messageExpirySeconds: seconds };
}

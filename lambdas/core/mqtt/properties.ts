import * as z from 'zod';
import { NeverRetry } from '../errors.ts';
import { ExactNumber } from '../json.ts';
import { compileExpression, expression, literalOfExpression } from '../jsonpath/expression.ts';
import { objectOf } from '../object-schema.ts';
import { redactedText } from '../redacted-text.ts';
import type { MissingVariable } from '../template/template.ts';
import { valueText } from '../template/value-text.ts';
import { meets, type TextConstraint } from '../text-constraint.ts';
import { compileOptional } from './optional-expression.ts';
import { MQTT_TOPIC_LIMITS, topicNameConstraint } from './topic-name.ts';

/** The properties of a PUBLISH packet that reach its receivers (MQTT 5, section 3.3.2.3). */
export interface MqttProperties {
  /** In their order; a name may occur more than once. */
  readonly userProperties: readonly (readonly [name: string, value: string])[];
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly messageExpirySeconds?: number;
  readonly payloadFormatIndicator?: 0 | 1;
}

/** Returns a message with a message expiry interval (MQTT 5, section 3.3.2.3.3), unless it has one. */
export function expiring<Message extends { readonly properties: MqttProperties }>(
  message: Message,
  seconds: number,
): Message {
  if (message.properties.messageExpirySeconds !== undefined) return message;
  return {
    ...message,
    properties: { ...message.properties, messageExpirySeconds: Math.min(seconds, MAX_EXPIRY_SECONDS) },
  };
}

/** Four bytes (MQTT 5, section 3.3.2.3.3). */
const MAX_EXPIRY_SECONDS = 2 ** 32 - 1;

// Servers may close the connection for these characters (MQTT 5, section 1.5.4).
const REFUSED = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
/** AWS IoT Core's names of the indicators, beside MQTT's numbers. */
const FORMATS: Readonly<Record<string, 0 | 1>> = { '0': 0, '1': 1, UNSPECIFIED_BYTES: 0, UTF8_DATA: 1 };

const CONSTRAINTS = {
  contentType: text(),
  responseTopic: topicNameConstraint({ ...MQTT_TOPIC_LIMITS, mayBeSystem: true }),
  correlationData: {
    expected: 'base64 of at most 65535 bytes',
    isMet: (data) => BASE64.test(data) && Buffer.byteLength(data, 'base64') <= 65_535,
    refused: /[^A-Za-z0-9+/=]/,
  },
  messageExpiry: {
    expected: `whole seconds, 1 to ${MAX_EXPIRY_SECONDS}`,
    isMet: (seconds) => /^\d+(\.0+)?$/.test(seconds) && Number(seconds) >= 1 && Number(seconds) <= MAX_EXPIRY_SECONDS,
    refused: /[^\d.]/,
  },
  payloadFormatIndicator: {
    expected: '0 or UNSPECIFIED_BYTES, 1 or UTF8_DATA',
    isMet: (format) => Object.hasOwn(FORMATS, format),
  },
  userProperties: text(),
} as const satisfies Record<string, TextConstraint>;

function text(): TextConstraint {
  return {
    expected: 'at most 65535 bytes without control characters',
    isMet: (given) => !REFUSED.test(given) && Buffer.byteLength(given) <= 65_535,
    refused: REFUSED,
  };
}

const constrained = (option: keyof typeof CONSTRAINTS) =>
  expression.min(1).check(meets(CONSTRAINTS[option], literalOfExpression));

/** Schemas of a sink's options for the properties. A message for which an option renders nothing has no such property. */
export const mqttPropertyOptions = {
  /** A JSONPath that finds an object, or an expression for each name. */
  userProperties: z.union([expression.min(1), objectOf(constrained('userProperties'))]).optional(),
  contentType: constrained('contentType').optional(),
  responseTopic: constrained('responseTopic').optional(),
  /** base64. */
  correlationData: constrained('correlationData').optional(),
  messageExpirySeconds: z.union([z.int().min(1).max(MAX_EXPIRY_SECONDS), constrained('messageExpiry')]).optional(),
  payloadFormatIndicator: z.union([z.literal(0), z.literal(1), constrained('payloadFormatIndicator')]).optional(),
};

const schema = z.object(mqttPropertyOptions);
export type MqttPropertyOptions = z.output<typeof schema>;

/** Names of the options, each of which a route may override. */
export const MQTT_PROPERTY_OPTIONS = Object.keys(mqttPropertyOptions) as readonly (keyof MqttPropertyOptions)[];

type Read<Value> = (scope: object, event: object) => Value;

/** Compiles the options. @returns a function that throws NeverRetry REJECTED for a value that MQTT does not allow. */
export function compileMqttProperties(
  options: MqttPropertyOptions,
  missingVariable: MissingVariable,
): Read<MqttProperties> {
  const { contentType, responseTopic, correlationData, messageExpirySeconds, payloadFormatIndicator } = options;
  const readers: Read<Partial<MqttProperties> | undefined>[] = [];
  const add = <Value>(
    name: keyof MqttProperties,
    option: keyof typeof CONSTRAINTS,
    given: string | number | undefined,
    convert: (text: string) => Value,
  ) => {
    if (given === undefined) return;
    const read = compileOptional(String(given), missingVariable);
    readers.push((scope, event) => {
      const rendered = read(scope, event);
      return rendered === undefined ? undefined : { [name]: convert(checked(option, rendered)) };
    });
  };
  add('contentType', 'contentType', contentType, String);
  add('responseTopic', 'responseTopic', responseTopic, String);
  add('correlationData', 'correlationData', correlationData, (data) => Buffer.from(data, 'base64'));
  add('messageExpirySeconds', 'messageExpiry', messageExpirySeconds, Number);
  add('payloadFormatIndicator', 'payloadFormatIndicator', payloadFormatIndicator, (format) => FORMATS[format]);
  const readUserProperties = compileUserProperties(options.userProperties, missingVariable);
  return (scope, event) =>
    Object.assign({ userProperties: readUserProperties(scope, event) }, ...readers.map((read) => read(scope, event)));
}

function compileUserProperties(
  option: MqttPropertyOptions['userProperties'],
  missingVariable: MissingVariable,
): Read<MqttProperties['userProperties']> {
  if (option === undefined) return () => [];
  if (typeof option === 'string') {
    const { value } = compileExpression(option, missingVariable);
    return (scope, event) => pairsOf(value(scope, event));
  }
  const compiled = Object.entries(option).map(([name, given]) => {
    const { value } = compileExpression(given, missingVariable);
    return [name, value] as const;
  });
  return (scope, event) => compiled.flatMap(([name, value]) => pairs(name, value(scope, event)));
}

function pairsOf(found: unknown): MqttProperties['userProperties'] {
  if (found === undefined) return [];
  if (typeof found !== 'object' || found === null || Array.isArray(found) || found instanceof ExactNumber)
    throw new NeverRetry('REJECTED', 'userProperties: got a value of another type; expected an object');
  return Object.entries(found).flatMap(([name, value]) => pairs(checked('userProperties', name), value));
}

/** A list gives the name several times, as a publisher does. A value that is not a text becomes JSON. */
function pairs(name: string, value: unknown): (readonly [string, string])[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map((one) => [name, checked('userProperties', valueText(one))]);
}

// A rendered text may come from a publisher, so it is not repeated word for word.
function checked(option: keyof typeof CONSTRAINTS, rendered: string): string {
  const { expected, isMet, refused }: TextConstraint = CONSTRAINTS[option];
  if (isMet(rendered)) return rendered;
  throw new NeverRetry('REJECTED', `${option} rendered to ${redactedText(rendered, refused)}; expected ${expected}`);
}

import { randomUUID } from 'node:crypto';
import { InvalidSqlError } from '../../errors.ts';
import type { IotMessage } from './message.ts';

/** An SQL value. `undefined` is SQL's Undefined. */
export type Value = unknown;

/** The argument `*` of a function: the message's bytes. */
export const EVERYTHING: unique symbol = Symbol('*');

type IotFunction = (message: IotMessage, args: readonly Value[]) => Value;

const FUNCTIONS: Readonly<Record<string, IotFunction>> = {
  accountid: ({ accountId }) => accountId,
  clientid: ({ clientId }) => clientId ?? 'n/a',
  newuuid: () => randomUUID(),
  principal: ({ principal }) => principal,
  sourceip: ({ sourceIp }) => sourceIp,
  timestamp: ({ timestamp }) => timestamp ?? Date.now(),
  traceid: ({ traceId }) => traceId,
  topic: ({ topic }, [level]) => (level === undefined ? topic : topic.split('/')[Number(level) - 1]),
  encode: ({ payload }, [value, scheme]) => {
    if (scheme !== 'base64') return undefined;
    return Buffer.from(value === EVERYTHING ? payload : String(value)).toString('base64');
  },
  regexp_matches: (_, [text, expression]) =>
    typeof text === 'string' && typeof expression === 'string' ? new RegExp(expression, 'u').test(text) : undefined,
  startswith: (_, [text, start]) =>
    typeof text === 'string' && typeof start === 'string' ? text.startsWith(start) : undefined,
  get_mqtt_property: ({ mqtt5 }, [name]) => mqttProperty(mqtt5 ?? {}, name),
  get_user_properties: ({ mqtt5 }, [key]) => userProperties(mqtt5?.userProperties ?? [], key),
};

function mqttProperty(properties: NonNullable<IotMessage['mqtt5']>, name: Value): Value {
  if (name === 'content_type') return properties.contentType;
  if (name === 'response_topic') return properties.responseTopic;
  if (name === 'correlation_data') return properties.correlationData;
  if (name === 'format_indicator') return properties.payloadFormatIndicator === 1 ? 'UTF8_DATA' : 'UNSPECIFIED_BYTES';
  return undefined;
}

function userProperties(all: readonly (readonly [string, string])[], key: Value): Value {
  if (key === undefined) return all.length === 0 ? undefined : all.map(([name, value]) => ({ [name]: value }));
  const values = all.filter(([name]) => name === key).map(([, value]) => value);
  return values.length === 0 ? undefined : values;
}

/** Returns a function of AWS IoT SQL. @throws InvalidSqlError for a function outside the supported subset. */
export function iotFunction(name: string): IotFunction {
  const found = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (found === undefined)
    throw new InvalidSqlError(
      `${name}(): got an unknown function; expected one of ${Object.keys(FUNCTIONS).join(', ')}`,
    );
  return found;
}

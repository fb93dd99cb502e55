import type { IncomingHttpHeaders } from 'node:http';
import { quotas } from '../broker/limits.ts';
import type { MessageProperties } from '../broker/publication.ts';
import { invalidRequest } from './api-error.ts';

/** A Publish call without its payload. */
export interface PublishRequest {
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly properties: MessageProperties;
}

const HEADER = 'x-amz-mqtt5-';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Reads the query and headers of a Publish call (AWS IoT API reference, "Publish"). @throws ApiError */
export function readPublishRequest(query: URLSearchParams, headers: IncomingHttpHeaders): PublishRequest {
  const properties: MessageProperties = { userProperties: userProperties(headers[`${HEADER}user-properties`]) };
  const contentType = query.get('contentType');
  if (contentType !== null) properties.contentType = contentType;
  const responseTopic = query.get('responseTopic');
  if (responseTopic !== null) properties.responseTopic = responseTopic;
  const correlationData = headers[`${HEADER}correlation-data`];
  if (correlationData !== undefined)
    properties.correlationData = fromBase64('correlationData', String(correlationData));
  const format = headers[`${HEADER}payload-format-indicator`];
  if (format !== undefined)
    properties.payloadFormatIndicator = oneOf('payloadFormatIndicator', String(format), {
      UNSPECIFIED_BYTES: 0,
      UTF8_DATA: 1,
    } as const);
  const expiry = query.get('messageExpiry');
  if (expiry !== null) properties.messageExpiryInterval = seconds(expiry);
  return {
    qos: oneOf('qos', query.get('qos') ?? '0', { '0': 0, '1': 1 } as const),
    retain: oneOf('retain', query.get('retain') ?? 'false', { true: true, false: false }),
    properties,
  };
}

function oneOf<Value>(name: string, given: string, values: Readonly<Record<string, Value>>): Value {
  if (!Object.hasOwn(values, given))
    throw invalidRequest(`${name}: got ${given}; expected ${Object.keys(values).join(' or ')}`);
  return values[given]!;
}

function seconds(given: string): number {
  if (!/^\d{1,15}$/.test(given)) throw invalidRequest(`messageExpiry: got ${given}; expected whole seconds`);
  const { min, max } = quotas.messageExpirySeconds;
  return Math.min(Math.max(Number(given), min), max);
}

function fromBase64(name: string, given: string): Buffer {
  if (!BASE64.test(given)) throw invalidRequest(`${name}: expected base64`);
  return Buffer.from(given, 'base64');
}

/** Reads a JSON list of objects with one pair each, in base64. */
function userProperties(header: string | string[] | undefined): [string, string][] {
  if (header === undefined) return [];
  const expected = invalidRequest('userProperties: expected a JSON list of objects with one text each, in base64');
  let list: unknown;
  try {
    list = JSON.parse(fromBase64('userProperties', String(header)).toString());
  } catch {
    throw expected;
  }
  if (!Array.isArray(list)) throw expected;
  return list.map((pair) => {
    const [entry, ...more] = typeof pair === 'object' && pair !== null ? Object.entries(pair) : [];
    if (entry === undefined || more.length > 0 || typeof entry[1] !== 'string') throw expected;
    return [entry[0], entry[1]];
  });
}

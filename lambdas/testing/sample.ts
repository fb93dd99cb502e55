import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { decodeEnvelope, ENVELOPE_VERSION, type Envelope, type RuleErrorMessage } from '../core/envelope.ts';
import { InvalidOptionError } from '../core/errors.ts';
import { eventTypeOfTopic, PUBLISH } from '../core/event-type.ts';
import { parseOptions } from '../core/options.ts';
import type { TaskSpec } from '../core/spec.ts';

// Not zod's `record`, which drops a key named `__proto__`.
const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown) => typeof value === 'string';
const userProperties = z.union([
  z.array(z.tuple([z.string(), z.string()])),
  z.custom<Readonly<Record<string, string | readonly string[]>>>(
    (value) => isPlain(value) && Object.values(value).every((one) => isText(one) || [one].flat().every(isText)),
    'an object of strings, or of lists of strings',
  ),
]);

const sampleMessage = z.strictObject({
  topic: z.string().min(1),
  payload: z
    .union([z.string(), z.instanceof(Uint8Array), z.custom<object>(isPlain, 'an object'), z.array(z.unknown())])
    .default(''),
  clientid: z.string().optional(),
  principal: z.string().optional(),
  sourceip: z.string().optional(),
  timestamp: z.int().optional(),
  id: z.string().min(1).optional(),
  contentType: z.string().optional(),
  responseTopic: z.string().optional(),
  correlationData: z.string().optional(),
  userProperties: userProperties.optional(),
});

/**
 * A sample message. `payload` is text, bytes, or a value that is sent as JSON. `timestamp` is in milliseconds since 1970 and
 * defaults to now. `correlationData` is base64. `userProperties` is an object, or a list of pairs in their order.
 */
export type SampleMessage = z.input<typeof sampleMessage>;

/** The body of a message in a buffer or a dead-letter queue: an envelope, or the message of a rule's error action. */
export type BufferedMessage = Envelope | RuleErrorMessage;

/**
 * Makes the envelope that the rules of a task would send to its buffer. A buffered message is decoded instead.
 *
 * @param source Type of the task's source.
 * @throws InvalidOptionError for an invalid message.
 */
export function sampleEnvelope(message: unknown, source: TaskSpec['source']['type']): Envelope {
  if (isBuffered(message)) return asDecoded(message);
  const {
    payload,
    userProperties: properties,
    timestamp,
    id,
    ...rest
  } = parseOptions(sampleMessage, message, 'message');
  const bytes = typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload);
  return {
    v: ENVELOPE_VERSION,
    kind: source === 'iot-core' ? PUBLISH : eventTypeOfTopic(rest.topic),
    id: id ?? randomUUID(),
    ...rest,
    timestamp: timestamp ?? Date.now(),
    payload: Buffer.from(bytes as string).toString('base64'),
    ...(properties !== undefined && { userProperties: asPairs(properties).map(([key, value]) => ({ [key]: value })) }),
  };
}

function isBuffered(message: unknown): message is object {
  return isPlain(message) && (Object.hasOwn(message, 'v') || Object.hasOwn(message, 'base64OriginalPayload'));
}

function asDecoded(message: object): Envelope {
  try {
    return decodeEnvelope(JSON.stringify(message), { messageId: randomUUID(), sentAt: Date.now() });
  } catch (cause) {
    throw new InvalidOptionError('message', message, `an envelope (${(cause as Error).message})`, { cause });
  }
}

function asPairs(properties: z.output<typeof userProperties>): (readonly [string, string])[] {
  if (Array.isArray(properties)) return properties;
  return Object.entries(properties).flatMap(([key, values]) => [values].flat().map((value) => [key, value] as const));
}

import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { ENVELOPE_VERSION, type Envelope } from '../core/envelope.ts';
import { parseOptions } from '../core/spec.ts';

const userProperties = z.union([
  z.array(z.tuple([z.string(), z.string()])),
  z.record(z.string(), z.union([z.string(), z.array(z.string())])),
]);

const sampleMessage = z.strictObject({
  topic: z.string().min(1),
  payload: z
    .union([z.string(), z.instanceof(Uint8Array), z.record(z.string(), z.unknown()), z.array(z.unknown())])
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
 * A message to try a task with. `payload` is text, bytes, or a value that is sent as JSON; `timestamp` is milliseconds since
 * 1970, now by default; `correlationData` is base64; user properties come as an object or, in order, as pairs.
 */
export type SampleMessage = z.input<typeof sampleMessage>;

/** The envelope that the task's rules would put into its buffer. @throws InvalidOptionError naming what is wrong with the message. */
export function sampleEnvelope(message: unknown): Envelope {
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
    kind: 'mqtt.message.publish',
    id: id ?? randomUUID(),
    ...rest,
    timestamp: timestamp ?? Date.now(),
    payload: Buffer.from(bytes as string).toString('base64'),
    ...(properties !== undefined && { userProperties: asPairs(properties).map(([key, value]) => ({ [key]: value })) }),
  };
}

function asPairs(properties: z.output<typeof userProperties>): (readonly [string, string])[] {
  if (Array.isArray(properties)) return properties;
  return Object.entries(properties).flatMap(([key, values]) => [values].flat().map((value) => [key, value] as const));
}

import { NeverRetry } from './errors.ts';
import { eventTypeOfTopic } from './event-type.ts';

export const ENVELOPE_VERSION = 1;

/**
 * What travels through buffers and is the body of a dead letter. Its JSON has the keys in this order; absent ones are left
 * out. It is written by the SQL of the task's own rules (AWS IoT Core, "SQL reference") and read by every worker after it,
 * so it changes only with its version.
 */
export interface Envelope {
  readonly v: typeof ENVELOPE_VERSION;
  /** The CloudEvents type, such as `mqtt.message.publish`. */
  readonly kind: string;
  /** Unique to the message; a redelivery carries the same one. */
  readonly id: string;
  /** IoT Core's trace id; absent for messages published by HTTPS. */
  readonly trace?: string;
  readonly topic: string;
  /** Absent for messages published by HTTPS. */
  readonly clientid?: string;
  /** Certificate id, or IAM role and session, that published. */
  readonly principal?: string;
  readonly sourceip?: string;
  /** When the rules engine saw the message: milliseconds since 1970. Where it is missing, when the buffer took it. */
  readonly timestamp: number;
  /** The payload's bytes, base64. */
  readonly payload: string;
  readonly contentType?: string;
  readonly formatIndicator?: 'UTF8_DATA' | 'UNSPECIFIED_BYTES';
  readonly responseTopic?: string;
  /** base64. */
  readonly correlationData?: string;
  /** MQTT 5 user properties in order, repeated keys kept: `[{"k": "v"}, …]`. */
  readonly userProperties?: readonly Readonly<Record<string, string>>[];
  /** Only when a client of ours saw the packet. */
  readonly qos?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  /** When it was put back from the dead-letter queue, where nothing but the body can tell: milliseconds since 1970. */
  readonly redriven?: number;
}

/** What the buffer says of a message beside its body; `sentAt` in milliseconds since 1970. */
export interface Received {
  readonly messageId: string;
  readonly sentAt: number;
}

/**
 * Reads a buffer message: an envelope, or what a rule's error action sent (AWS IoT Core, "Error handling (error action)").
 * Fields it does not know are ignored.
 *
 * @throws NeverRetry UNSUPPORTED_ENVELOPE
 */
export function decodeEnvelope(body: string, received: Received): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw unsupported('the message is not JSON', cause);
  }
  if (typeof value !== 'object' || value === null) throw unsupported('the message is not a JSON object');
  const envelope = isRuleError(value) ? fromRuleError(value, received) : (value as Envelope);
  if (envelope.v !== ENVELOPE_VERSION)
    throw unsupported(`v is ${versionText(envelope.v)}; expected ${ENVELOPE_VERSION}`);
  checkTypes(envelope);
  if (envelope.userProperties !== undefined && !isPairList(envelope.userProperties)) {
    throw unsupported('userProperties is not a list of objects of strings');
  }
  return isTime(envelope.timestamp) && envelope.clientid !== NOT_MQTT ? envelope : mended(envelope, received);
}

// Each key by its name: a loop over a list looks it up anew for every record, at ten times the cost.
function checkTypes(envelope: Envelope): void {
  check('kind', envelope.kind, 'string', true);
  check('id', envelope.id, 'string', true);
  check('topic', envelope.topic, 'string', true);
  check('payload', envelope.payload, 'string', true);
  check('trace', envelope.trace, 'string');
  check('clientid', envelope.clientid, 'string');
  check('principal', envelope.principal, 'string');
  check('sourceip', envelope.sourceip, 'string');
  check('contentType', envelope.contentType, 'string');
  check('formatIndicator', envelope.formatIndicator, 'string');
  check('responseTopic', envelope.responseTopic, 'string');
  check('correlationData', envelope.correlationData, 'string');
  check('qos', envelope.qos, 'number');
  check('retain', envelope.retain, 'boolean');
  check('dup', envelope.dup, 'boolean');
  check('redriven', envelope.redriven, 'number');
}

function check(key: keyof Envelope, given: unknown, type: 'string' | 'number' | 'boolean', isRequired = false): void {
  if (typeof given === type || (given === undefined && !isRequired)) return;
  throw unsupported(`${key} is ${typeof given}; expected a ${type}${isRequired ? '' : ' or nothing'}`);
}

function mended({ clientid, ...published }: Envelope, { sentAt }: Received): Envelope {
  return {
    ...published,
    ...(clientid !== undefined && clientid !== NOT_MQTT && { clientid }),
    // Without a time of its own, a message is as old as the buffer knows it.
    ...(!isTime(published.timestamp) && { timestamp: sentAt }),
  };
}

// What a Date can hold.
function isTime(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15;
}

// Of what was forged, only what is a version is repeated: the rest may be a payload.
function versionText(v: unknown): string {
  return Number.isInteger(v) && Math.abs(v as number) < 1_000 ? String(v) : typeof v;
}

// What IoT SQL's clientid() gives for a message published by HTTPS.
const NOT_MQTT = 'n/a';

/** What AWS IoT Core sends to a rule's error action. */
export interface RuleErrorMessage {
  readonly ruleName: string;
  readonly topic: string;
  readonly cloudwatchTraceId: string;
  readonly clientId: string;
  readonly base64OriginalPayload: string;
  readonly failures: readonly { failedAction: string; failedResource: string; errorMessage: string }[];
}

function isRuleError(value: object): value is RuleErrorMessage {
  return Object.hasOwn(value, 'base64OriginalPayload') && Object.hasOwn(value, 'failures');
}

// An error action tells neither the time nor the MQTT 5 properties.
function fromRuleError(error: RuleErrorMessage, received: Received): Envelope {
  return {
    v: ENVELOPE_VERSION,
    kind: eventTypeOfTopic(error.topic),
    id: error.cloudwatchTraceId ?? received.messageId,
    topic: error.topic,
    clientid: error.clientId,
    timestamp: received.sentAt,
    payload: error.base64OriginalPayload,
  };
}

function isPairList(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (pair) => typeof pair === 'object' && pair !== null && Object.values(pair).every((v) => typeof v === 'string'),
    )
  );
}

function unsupported(reason: string, cause?: unknown): NeverRetry {
  return new NeverRetry('UNSUPPORTED_ENVELOPE', reason, { cause });
}

import { NeverRetry } from './errors.ts';
import { eventTypeOfTopic } from './event-type.ts';

export const ENVELOPE_VERSION = 1;

/**
 * A message in a buffer and in the dead-letter queue. Its JSON has the keys in this order and leaves absent ones out. The SQL
 * of the task's rules writes it (AWS IoT Core, "SQL reference") and later versions of the worker read it, so any change needs
 * a new `v`.
 */
export interface Envelope {
  readonly v: typeof ENVELOPE_VERSION;
  /** The event type, such as `mqtt.message.publish`: the CloudEvents `type`. */
  readonly kind: string;
  /** Unique id of the message. Retries and redeliveries keep it. */
  readonly id: string;
  /** Trace id of AWS IoT Core. Absent for messages published by HTTPS. */
  readonly trace?: string;
  readonly topic: string;
  /** Absent for messages published by HTTPS. */
  readonly clientid?: string;
  /** Certificate id, or IAM role and session, of the publisher. */
  readonly principal?: string;
  readonly sourceip?: string;
  /** When the rules engine received the message, or else when the buffer did: milliseconds since 1970. */
  readonly timestamp: number;
  /** The payload: base64. */
  readonly payload: string;
  readonly contentType?: string;
  readonly formatIndicator?: 'UTF8_DATA' | 'UNSPECIFIED_BYTES';
  readonly responseTopic?: string;
  /** base64. */
  readonly correlationData?: string;
  /** MQTT 5 user properties in their order, with repeated keys: `[{"k": "v"}, …]`. */
  readonly userProperties?: readonly Readonly<Record<string, string>>[];
  /** QoS of the MQTT packet. `qos`, `retain` and `dup` are present only when an Outflow client received the packet. */
  readonly qos?: number;
  readonly retain?: boolean;
  readonly dup?: boolean;
  /**
   * When the message was redriven from the dead-letter queue into a stream: milliseconds since 1970. Absent in queues, where
   * message attributes hold it.
   */
  readonly redriven?: number;
}

/** What a buffer reports about a message apart from its body. */
export interface Received {
  readonly messageId: string;
  /** When the buffer received the message: milliseconds since 1970. */
  readonly sentAt: number;
}

/**
 * Decodes a buffer message: an envelope, or the message of a rule's error action (AWS IoT Core, "Error handling (error
 * action)"). Unknown fields are ignored.
 *
 * @throws NeverRetry UNSUPPORTED_ENVELOPE for any other body.
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
  return isTime(envelope.timestamp) && envelope.clientid !== NOT_MQTT ? envelope : repaired(envelope, received);
}

// One call for each key: a loop over a list of keys costs ten times as much per record.
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
  throw unsupported(`${key} is ${typeof given}; expected a ${type}${isRequired ? '' : ' or no value'}`);
}

function repaired({ clientid, ...published }: Envelope, { sentAt }: Received): Envelope {
  return {
    ...published,
    ...(clientid !== undefined && clientid !== NOT_MQTT && { clientid }),
    // Without a valid timestamp, the message's age counts from its arrival in the buffer.
    ...(!isTime(published.timestamp) && { timestamp: sentAt }),
  };
}

// The range of a JavaScript Date.
function isTime(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= 8.64e15;
}

// Only a small integer is repeated in the error: any other value may be part of a payload.
function versionText(v: unknown): string {
  return Number.isInteger(v) && Math.abs(v as number) < 1_000 ? String(v) : typeof v;
}

// The result of AWS IoT SQL's clientid() for a message published by HTTPS.
export const NOT_MQTT = 'n/a';

/** The message that AWS IoT Core sends to a rule's error action. */
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

// The message of an error action has neither a timestamp nor MQTT 5 properties.
function fromRuleError(error: RuleErrorMessage, received: Received): Envelope {
  // Anyone who may send to the queue can send anything.
  check('topic', error.topic, 'string', true);
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

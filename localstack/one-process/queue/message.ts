import { randomUUID } from 'node:crypto';
import { attributesBytes, checkAttributes, checkCharacters, type MessageAttributes } from './attributes.ts';
import type { Deadline } from './deadlines.ts';
import { SqsError } from './sqs-error.ts';

/** The most that body, attribute names, types and values may add up to. */
export const MAX_MESSAGE_BYTES = 1_048_576;

/** What a sender hands in. */
export interface NewMessage {
  readonly body: string;
  readonly attributes?: MessageAttributes | undefined;
  /** 0 to 900. Default: the queue's delay. */
  readonly delaySeconds?: number | undefined;
}

/** A message as anybody may see it. */
export interface MessageView {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: MessageAttributes | undefined;
  /** Milliseconds since the epoch; a dead-letter queue keeps that of the first queue. */
  readonly sentAt: number;
  /** Receives so far, those before it came to a dead-letter queue included. */
  readonly receiveCount: number;
  /** Milliseconds since the epoch; undefined before the first receive. */
  readonly firstReceivedAt: number | undefined;
  /** The queue that gave it up, if this one is a dead-letter queue. */
  readonly deadLetterSourceArn: string | undefined;
}

/** A message lent to a consumer until its visibility timeout ends. */
export interface ReceivedMessage extends MessageView {
  readonly receiptHandle: string;
  readonly firstReceivedAt: number;
}

/** A message in {@link Queue.peek}. */
export interface PeekedMessage extends MessageView {
  readonly state: MessageState;
}

export type MessageState = 'visible' | 'inFlight' | 'delayed';

/** A message as its queue keeps it. */
export interface HeldMessage extends MessageView {
  state: MessageState | 'deleted';
  receiveCount: number;
  /** Receives by the queue that holds it now: only these count towards its redrive. */
  receivesHere: number;
  firstReceivedAt: number | undefined;
  /** When it was received last; before the first receive, when it was sent. */
  receivedAt: number;
  /** Number of the latest receipt; 0 before the first. */
  receipt: number;
  deadLetterSourceArn: string | undefined;
  /** When it becomes visible; undefined while it is. */
  wake: Deadline<HeldMessage> | undefined;
  /** When its retention ends. */
  expiry: Deadline<HeldMessage> | undefined;
}

/** Makes a message of what was sent, or refuses it as SQS would. */
export function newMessage({ body, attributes }: NewMessage, now: number): HeldMessage {
  if (body === '') throw new SqsError('MissingParameter', 'The message has no body');
  const bytes = Buffer.byteLength(body) + (attributes ? attributesBytes(attributes) : 0);
  if (bytes > MAX_MESSAGE_BYTES) {
    throw new SqsError('InvalidParameterValue', `The message has ${bytes} bytes; ${MAX_MESSAGE_BYTES} is the most`);
  }
  checkCharacters('The body', body);
  if (attributes) checkAttributes(attributes);

  const hasAttributes = attributes !== undefined && Object.keys(attributes).length > 0;
  return {
    messageId: newMessageId(),
    body,
    attributes: hasAttributes ? { ...attributes } : undefined,
    sentAt: now,
    state: 'visible',
    receiveCount: 0,
    receivesHere: 0,
    firstReceivedAt: undefined,
    // Not 0: a small integer that becomes a timestamp makes V8 convert every message held, ten times the time to drain.
    receivedAt: now,
    receipt: 0,
    deadLetterSourceArn: undefined,
    wake: undefined,
    expiry: undefined,
  };
}

/** What a consumer gets of a message just received. */
export function lentMessage(message: HeldMessage, receiptHandle: string, firstReceivedAt: number): ReceivedMessage {
  const { messageId, body, attributes, sentAt, receiveCount, deadLetterSourceArn } = message;
  return {
    messageId,
    receiptHandle,
    body,
    attributes,
    sentAt,
    receiveCount,
    firstReceivedAt,
    deadLetterSourceArn,
  };
}

/** A message for inspection, as it is now. */
export function peekedMessage(message: HeldMessage, state: MessageState): PeekedMessage {
  const { receiptHandle: _, ...view } = lentMessage(message, '', 0);
  return { ...view, state, firstReceivedAt: message.firstReceivedAt };
}

/** randomUUID's string is a tree of two dozen pieces, five hundred bytes; written out it is one of fifty. */
function newMessageId(): string {
  return Buffer.from(randomUUID(), 'latin1').toString('latin1');
}

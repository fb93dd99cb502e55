import { randomUUID } from 'node:crypto';
import { attributesBytes, checkAttributes, checkCharacters, type MessageAttributes } from './attributes.ts';
import type { Deadline } from './deadlines.ts';
import { SqsError } from './sqs-error.ts';

/** The largest message: body, attribute names, types and values (Amazon SQS, "Amazon SQS message quotas"). */
export const MAX_MESSAGE_BYTES = 1_048_576;

/** A message to send. */
export interface NewMessage {
  readonly body: string;
  readonly attributes?: MessageAttributes | undefined;
  /** 0 to 900. @default - the queue's delay */
  readonly delaySeconds?: number | undefined;
}

/** The fields of a message that consumers can read. */
export interface MessageView {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: MessageAttributes | undefined;
  /** Milliseconds since the epoch. It does not change when the message moves to a dead-letter queue. */
  readonly sentAt: number;
  /** Receives so far, including those before the message moved to a dead-letter queue. */
  readonly receiveCount: number;
  /** Milliseconds since the epoch; undefined before the first receive. */
  readonly firstReceivedAt: number | undefined;
  /** The queue that the message was moved from, if this one is a dead-letter queue. */
  readonly deadLetterSourceArn: string | undefined;
}

/** A received message, which is in flight until its visibility timeout ends. */
export interface ReceivedMessage extends MessageView {
  readonly receiptHandle: string;
  readonly firstReceivedAt: number;
}

/** A message of `Queue.peek`. */
export interface PeekedMessage extends MessageView {
  readonly state: MessageState;
}

export type MessageState = 'visible' | 'inFlight' | 'delayed';

/** A message in its queue. */
export interface StoredMessage extends MessageView {
  state: MessageState | 'deleted';
  receiveCount: number;
  /** Receives from the current queue, which count towards its redrive policy. */
  receivesFromQueue: number;
  firstReceivedAt: number | undefined;
  /** When it was last received; before the first receive, when it was sent. */
  receivedAt: number;
  /** Number of the latest receipt; 0 before the first. */
  receipt: number;
  deadLetterSourceArn: string | undefined;
  /** When a hidden message becomes visible. */
  visibleAgain: Deadline<StoredMessage> | undefined;
  /** When its retention ends. */
  expiry: Deadline<StoredMessage> | undefined;
}

/** Makes a stored message. @throws SqsError for a message that SQS refuses. */
export function newMessage({ body, attributes }: NewMessage, now: number): StoredMessage {
  if (body === '')
    throw new SqsError('MissingParameter', 'MessageBody: got an empty string; expected at least one character');
  const bytes = Buffer.byteLength(body) + (attributes ? attributesBytes(attributes) : 0);
  if (bytes > MAX_MESSAGE_BYTES) {
    throw new SqsError('InvalidParameterValue', `message: got ${bytes} bytes; expected at most ${MAX_MESSAGE_BYTES}`);
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
    receivesFromQueue: 0,
    firstReceivedAt: undefined,
    // Not 0: V8 converts all messages when a small integer first becomes a timestamp, which takes ten times as long to drain.
    receivedAt: now,
    receipt: 0,
    deadLetterSourceArn: undefined,
    visibleAgain: undefined,
    expiry: undefined,
  };
}

/** The consumer's view of a message that was just received. */
export function receivedMessage(
  message: StoredMessage,
  receiptHandle: string,
  firstReceivedAt: number,
): ReceivedMessage {
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

/** A view of a message that does not receive it. */
export function peekedMessage(message: StoredMessage, state: MessageState): PeekedMessage {
  const { receiptHandle: _, ...view } = receivedMessage(message, '', 0);
  return { ...view, state, firstReceivedAt: message.firstReceivedAt };
}

/** V8 keeps the string of `randomUUID` as a rope of about 500 bytes. The copy takes about 50. */
function newMessageId(): string {
  return Buffer.from(randomUUID(), 'latin1').toString('latin1');
}

import type { SQSEvent, SQSMessageAttributes, SQSRecord } from 'aws-lambda';
import { ATTEMPT, CHILDREN, FIRST_SEEN, SUSPECT } from '../retry-queue.ts';
import type { BufferMessage } from '../worker.ts';

/** A message as SQS lent it. */
export interface LentMessage extends BufferMessage {
  readonly receiptHandle: string;
  /** How often it was lent, this time included. */
  readonly receiveCount: number;
  /** It came alone, because it may have killed the function. */
  readonly isSuspect: boolean;
}

/** Reads the messages of an SQS event. */
export function readSqsEvent({ Records }: SQSEvent): LentMessage[] {
  return Records.map(readRecord);
}

function readRecord({ messageId, body, receiptHandle, attributes, messageAttributes }: SQSRecord): LentMessage {
  const sentAt = Number(attributes.SentTimestamp);
  const lent = { id: messageId, body, receiptHandle, receiveCount: Number(attributes.ApproximateReceiveCount), sentAt };
  // A redriven dead letter starts afresh: what it went through is told by its old attributes, and not continued.
  if (messageAttributes['ERROR_CODE'] !== undefined)
    return { ...lent, attempt: 0, firstSeen: sentAt, isSuspect: false };
  return {
    ...lent,
    attempt: wholeNumber(messageAttributes, ATTEMPT) ?? 0,
    firstSeen: wholeNumber(messageAttributes, FIRST_SEEN) ?? sentAt,
    children: readChildren(messageAttributes[CHILDREN]?.stringValue),
    isSuspect: messageAttributes[SUSPECT] !== undefined,
  };
}

function wholeNumber(attributes: SQSMessageAttributes, name: string): number | undefined {
  const value = Number(attributes[name]?.stringValue);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function readChildren(text: string | undefined): number[] | undefined {
  return text !== undefined && /^\d{1,9}(,\d{1,9})*$/.test(text) ? text.split(',').map(Number) : undefined;
}

import type { SQSEvent, SQSMessageAttribute, SQSMessageAttributes, SQSRecord } from 'aws-lambda';
import { readChildren } from '../../worker/children.ts';
import { ATTEMPT, CHILDREN, FIRST_SEEN, SUSPECT } from '../../worker/requeued.ts';
import type { BufferMessage } from '../../worker/worker.ts';

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

// Once per record, and so without a spread, which costs more than all the rest of it.
function readRecord({ messageId, body, receiptHandle, attributes, messageAttributes }: SQSRecord): LentMessage {
  const sentAt = Number(attributes.SentTimestamp);
  // A redriven dead letter starts afresh: what it went through is told by its old attributes, and not continued.
  const told = messageAttributes['ERROR_CODE'] === undefined ? messageAttributes : NOTHING_TOLD;
  return {
    id: messageId,
    body,
    receiptHandle,
    receiveCount: Number(attributes.ApproximateReceiveCount),
    sentAt,
    attempt: wholeNumber(told[ATTEMPT]) ?? 0,
    firstSeen: told === NOTHING_TOLD ? sentAt : wholeNumber(told[FIRST_SEEN]),
    children: readChildren(told[CHILDREN]?.stringValue),
    isSuspect: told[SUSPECT] !== undefined,
  };
}

const NOTHING_TOLD: SQSMessageAttributes = {};

function wholeNumber(attribute: SQSMessageAttribute | undefined): number | undefined {
  if (attribute === undefined) return undefined;
  const value = Number(attribute.stringValue);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

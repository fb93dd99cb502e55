import type { SQSEvent, SQSRecord } from 'aws-lambda';
import type { BufferMessage } from '../../worker/message.ts';
import { readRetryAttributes } from './retry-attributes.ts';

/** A message that was received from a queue. */
export interface ReceivedMessage extends BufferMessage {
  readonly receiptHandle: string;
}

/** Reads the messages of an SQS event. */
export function readSqsEvent({ Records }: SQSEvent): ReceivedMessage[] {
  return Records.map(readRecord);
}

// Once per record, and so without a spread, which costs more than the rest of it.
function readRecord({ messageId, body, receiptHandle, attributes, messageAttributes }: SQSRecord): ReceivedMessage {
  const sentAt = Number(attributes.SentTimestamp);
  const { attempt, firstSeen, children, isSuspect, stops } = readRetryAttributes(messageAttributes, sentAt);
  return {
    id: messageId,
    body,
    sentAt,
    attempt,
    firstSeen,
    children,
    isSuspect,
    stops,
    receiveCount: Number(attributes.ApproximateReceiveCount),
    firstReceivedAt: Number(attributes.ApproximateFirstReceiveTimestamp),
    receiptHandle,
  };
}

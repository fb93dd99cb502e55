import type { SQSMessageAttributes, SQSRecord } from 'aws-lambda';
import type { ReceivedMessage } from './message.ts';

/** The id of a role and its session. */
const SENDER_ID = 'AROAONEPROCESSOUTFLOW:outflow';

/** Converts a message to a record of Lambda's event (AWS Lambda, "Using Lambda with Amazon SQS"). */
export function toRecord(message: ReceivedMessage, queueArn: string, region: string): SQSRecord {
  return {
    messageId: message.messageId,
    receiptHandle: message.receiptHandle,
    body: message.body,
    attributes: {
      ApproximateReceiveCount: String(message.receiveCount),
      SentTimestamp: String(message.sentAt),
      SenderId: SENDER_ID,
      ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt),
      ...(message.deadLetterSourceArn && { DeadLetterQueueSourceArn: message.deadLetterSourceArn }),
    },
    messageAttributes: toMessageAttributes(message),
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: region,
  };
}

function toMessageAttributes({ attributes = {} }: ReceivedMessage): SQSMessageAttributes {
  const result: SQSMessageAttributes = {};
  for (const [name, { dataType, stringValue }] of Object.entries(attributes)) {
    result[name] = { stringValue, stringListValues: [], binaryListValues: [], dataType };
  }
  return result;
}

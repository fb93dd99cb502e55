import type { MiddlewareObj } from '@middy/core';
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { BatchReport, BufferMessage } from '../worker.ts';

/**
 * Turns an SQS event into the worker's messages, and the report into a partial batch response (AWS Lambda, "Handling errors
 * for an SQS event source": ReportBatchItemFailures).
 */
export function sqsBatch(): MiddlewareObj<
  readonly BufferMessage[] | SQSEvent,
  BatchReport | SQSBatchResponse,
  Error,
  Context
> {
  return {
    before(request) {
      const { Records } = request.event as SQSEvent;
      request.event = Records.map(({ messageId, body, attributes }) => ({
        id: messageId,
        body,
        sentAt: Number(attributes.SentTimestamp),
      }));
    },
    after(request) {
      const { failed } = request.response as BatchReport;
      request.response = { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
    },
  };
}

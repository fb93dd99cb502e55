import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { Sink } from '../lambdas/deliver/sink.ts';
import { context } from '../test/support/messages.ts';

/** The least that a Lambda function written by hand for one task would do: no checks, no errors, no choices. */
export function createFloor(sink: Sink<string>): (event: SQSEvent) => Promise<SQSBatchResponse> {
  return async ({ Records }) => {
    const requests: string[] = [];
    for (const { body } of Records) {
      const envelope = JSON.parse(body);
      const payload = JSON.parse(Buffer.from(envelope.payload, 'base64').toString());
      if (payload.temp > 20) requests.push(JSON.stringify({ device: envelope.clientid, temp: payload.temp }));
    }
    await sink.deliver(requests, { remainingMs: context.getRemainingTimeInMillis });
    return { batchItemFailures: [] };
  };
}

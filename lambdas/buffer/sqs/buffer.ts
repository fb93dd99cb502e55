import type { SQSEvent } from 'aws-lambda';
import type { ProbeResponse } from '../../core/control-requests.ts';
import type { BatchReport, BufferMessage } from '../../worker/message.ts';
import type { BufferSetup, TaskBuffer } from '../buffer.ts';
import { type ReceivedMessage, readSqsEvent } from './message.ts';

/** Seconds until a message that stays in the queue is visible again. */
const RETURN_AFTER_SECONDS = 15;

/**
 * Two SQS queues: messages that are to be tried again are sent to the retry queue with a delay. The response is a partial batch
 * response (AWS Lambda, "Handling errors for an SQS event source": ReportBatchItemFailures).
 */
export function sqsBuffer(setup: BufferSetup): TaskBuffer {
  const queues = setup.queues();
  return {
    requeue: queues.requeue,
    retryMode: 'requeue',
    receive(given) {
      const event = given as SQSEvent & { readonly outflow?: 'probe' };
      const queueArn = event.Records[0]!.eventSourceARN;
      const messages = readSqsEvent(event);
      const received = (some: readonly BufferMessage[]) => {
        const ids = new Set(some.map(({ id }) => id));
        return messages.filter(({ id }) => ids.has(id));
      };
      return {
        messages,
        isProbe: event.outflow === 'probe',
        remove: (some) => queues.remove(received(some), queueArn),
        shortenVisibility: (some, seconds) => queues.setVisibility(received(some), queueArn, seconds),
        async respond({ failed, stop }: BatchReport): Promise<ProbeResponse> {
          // A message that stays is redelivered soon, not when the whole visibility timeout is over.
          const stay = new Set(failed);
          const staying = messages.filter(({ id }): boolean => stay.has(id)) satisfies ReceivedMessage[];
          await queues.setVisibility(staying, queueArn, RETURN_AFTER_SECONDS);
          const batchItemFailures = failed.map((itemIdentifier) => ({ itemIdentifier }));
          return event.outflow === 'probe' && stop !== undefined
            ? { batchItemFailures, halt: stop.cause }
            : { batchItemFailures };
        },
      };
    },
  };
}

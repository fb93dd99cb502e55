import type { Requeue } from '../../worker/message.ts';
import type { QueueOptions } from './dead-letter-queue.ts';
import { writeRetryAttributes } from './retry-attributes.ts';
import { sendAll } from './send-batch.ts';

/** The retry queue in SQS: delayed messages wait there without being in flight. */
export function retryQueue(queue: QueueOptions): Requeue {
  return {
    async send(messages) {
      const entries = messages.map((message) => ({
        MessageBody: message.body,
        DelaySeconds: message.delaySeconds,
        MessageAttributes: writeRetryAttributes(message),
      }));
      const isStored = await sendAll(entries, { ...queue, what: 'retry' });
      return isStored.map((stored) => (stored ? 'stored' : 'failed'));
    },
  };
}

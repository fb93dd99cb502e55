import { writeChildren } from '../../worker/children.ts';
import { ATTEMPT, CHILDREN, FIRST_SEEN, type Requeued, type RetryQueue, SUSPECT } from '../../worker/requeued.ts';
import type { QueueOptions } from './dead-letter-queue.ts';
import { type Entry, sendAll } from './send-batch.ts';

/** The retry queue in SQS: delayed messages wait there without being in flight. */
export function retryQueue(queue: QueueOptions): RetryQueue {
  return { send: (messages) => sendAll(messages.map(toEntry), { ...queue, what: 'retry' }) };
}

function toEntry({ body, attempt, firstSeen, children, isSuspect, delaySeconds }: Requeued): Entry {
  return {
    MessageBody: body,
    DelaySeconds: delaySeconds,
    MessageAttributes: {
      [ATTEMPT]: { DataType: 'Number', StringValue: String(attempt) },
      [FIRST_SEEN]: { DataType: 'Number', StringValue: String(firstSeen) },
      ...(children !== undefined && { [CHILDREN]: { DataType: 'String', StringValue: writeChildren(children) } }),
      ...(isSuspect && { [SUSPECT]: { DataType: 'Number', StringValue: '1' } }),
    },
  };
}

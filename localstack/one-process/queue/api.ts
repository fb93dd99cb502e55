import type { SendMessageBatchRequestEntry, SendMessageBatchResultEntry } from '@aws-sdk/client-sqs';
import type { SqsApi } from '../../../lambdas/buffer/sqs/api.ts';
import type { NewMessage } from './message.ts';
import type { Queue } from './queue.ts';
import { SqsError } from './sqs-error.ts';

/**
 * The part of the SQS API that workers call, on queues in memory.
 *
 * @param queues By URL.
 * @param sendToOther Sends a message to a queue that is not among them.
 */
export function queueApi(
  queues: Pick<ReadonlyMap<string, Queue>, 'get'>,
  sendToOther: (queueUrl: string, body: string) => Promise<unknown>,
): SqsApi {
  const queueAt = (url: string | undefined): Queue => {
    const queue = queues.get(url ?? '');
    if (queue === undefined)
      throw new SqsError('QueueDoesNotExist', `QueueUrl: got ${url}; expected a queue of this process`);
    return queue;
  };
  return {
    async send({ QueueUrl, MessageBody, ...rest }) {
      const queue = queues.get(QueueUrl!);
      if (queue === undefined) await sendToOther(QueueUrl!, MessageBody!);
      else queue.send(toMessage({ ...rest, MessageBody, Id: '' }));
    },
    async sendBatch({ QueueUrl, Entries = [] }) {
      const queue = queueAt(QueueUrl);
      return forEachEntry(Entries, (entry): SendMessageBatchResultEntry => {
        const { messageId } = queue.send(toMessage(entry));
        return { Id: entry.Id, MessageId: messageId, MD5OfMessageBody: undefined };
      });
    },
    async deleteBatch({ QueueUrl, Entries = [] }) {
      const queue = queueAt(QueueUrl);
      return forEachEntry(Entries, ({ Id, ReceiptHandle }) => {
        queue.delete(ReceiptHandle!);
        return { Id };
      });
    },
    async changeVisibilityBatch({ QueueUrl, Entries = [] }) {
      const queue = queueAt(QueueUrl);
      return forEachEntry(Entries, ({ Id, ReceiptHandle, VisibilityTimeout }) => {
        queue.changeVisibility(ReceiptHandle!, VisibilityTimeout!);
        return { Id };
      });
    },
  };
}

function toMessage({ MessageBody, MessageAttributes = {}, DelaySeconds }: SendMessageBatchRequestEntry): NewMessage {
  const attributes = Object.entries(MessageAttributes).map(([name, { DataType, StringValue }]) => {
    return [name, { dataType: DataType!, stringValue: StringValue! }] as const;
  });
  return { body: MessageBody!, attributes: Object.fromEntries(attributes), delaySeconds: DelaySeconds };
}

function forEachEntry<Entry extends { Id: string | undefined }, Result>(
  entries: readonly Entry[],
  carryOut: (entry: Entry) => Result,
): { Successful: Result[]; Failed: { Id: string | undefined; Code: string; Message: string; SenderFault: boolean }[] } {
  const Successful: Result[] = [];
  const Failed = [];
  for (const entry of entries) {
    try {
      Successful.push(carryOut(entry));
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      Failed.push({ Id: entry.Id, Code: error.name, Message: error.message, SenderFault: true });
    }
  }
  return { Successful, Failed };
}

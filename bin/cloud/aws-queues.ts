import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  ReceiveMessageCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { MAX_ENTRIES } from '../../lambdas/buffer/sqs/batches.ts';
import type { QueueReport } from './cloud.ts';
import { type ReceivedDeadLetter, VISIBILITY_SECONDS } from './dead-letter-queue.ts';

/** A long poll queries all of SQS's servers, so an empty answer means an empty queue. */
const POLL_SECONDS = 1;
const MOVE_POLL_MS = 1_000;

/** Reads the numbers of messages in a queue. */
export async function reportOfQueue(sqs: SQSClient, QueueUrl: string): Promise<QueueReport> {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
  const number = (name: string) => Number((Attributes as Record<string, string> | undefined)?.[name] ?? 0);
  return {
    visible: number('ApproximateNumberOfMessages'),
    inFlight: number('ApproximateNumberOfMessagesNotVisible'),
    delayed: number('ApproximateNumberOfMessagesDelayed'),
    retentionSeconds: number('MessageRetentionPeriod'),
  };
}

/** Receives up to ten dead letters, with a visibility timeout of {@link VISIBILITY_SECONDS}. */
export async function receiveDeadLetters(sqs: SQSClient, QueueUrl: string): Promise<ReceivedDeadLetter[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: MAX_ENTRIES,
      VisibilityTimeout: VISIBILITY_SECONDS,
      WaitTimeSeconds: POLL_SECONDS,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    }),
  );
  return Messages.map(({ MessageId, ReceiptHandle, Body, Attributes, MessageAttributes = {} }) => ({
    messageId: MessageId!,
    receiptHandle: ReceiptHandle!,
    body: Body!,
    sentAt: Number(Attributes?.SentTimestamp),
    attributes: Object.fromEntries(
      Object.entries(MessageAttributes).map(([name, { DataType = 'String', StringValue, BinaryValue }]) => [
        name,
        { DataType, StringValue, BinaryValue },
      ]),
    ),
  }));
}

/**
 * Moves all messages of a queue to another by SQS's own move task.
 *
 * @param ratePerSecond 1 to 500 messages a second; undefined for no limit.
 * @returns the number of messages moved.
 * @throws if the move task fails. Messages that it has not moved stay.
 */
export async function moveMessages(
  sqs: SQSClient,
  { from, to }: { readonly from: string; readonly to: string },
  ratePerSecond: number | undefined,
  onProgress: (moved: number) => void,
): Promise<number> {
  const [SourceArn, DestinationArn] = [await queueArn(sqs, from), await queueArn(sqs, to)];
  const rate = ratePerSecond !== undefined && { MaxNumberOfMessagesPerSecond: ratePerSecond };
  const { TaskHandle } = await sqs.send(new StartMessageMoveTaskCommand({ SourceArn, DestinationArn, ...rate }));
  for (;;) {
    const { Results = [] } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 10 }));
    // Only a running move task has a handle. The latest one comes first.
    const move = Results.find((result) => result.TaskHandle === TaskHandle) ?? Results[0];
    const moved = move?.ApproximateNumberOfMessagesMoved ?? 0;
    onProgress(moved);
    if (move?.Status === 'COMPLETED') return moved;
    if (move === undefined || move.Status !== 'RUNNING')
      throw new Error(
        `SQS's move task ended with status ${move?.Status ?? 'unknown'}: ${move?.FailureReason ?? 'no reason given'}`,
      );
    await sleep(MOVE_POLL_MS);
  }
}

async function queueArn(sqs: SQSClient, QueueUrl: string): Promise<string> {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  return Attributes!.QueueArn!;
}

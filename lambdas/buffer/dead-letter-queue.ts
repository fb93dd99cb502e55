import type { SendMessageBatchRequestEntry, SQSClient } from '@aws-sdk/client-sqs';
import { type DeadLetter, type DeadLetters, deadLetterAttributes } from '../dead-letter.ts';

/** What SendMessageBatch takes in one call (Amazon SQS quotas). */
const MAX_ENTRIES = 10;
const MAX_BYTES = 1024 * 1024;
const ATTRIBUTES_AT_MOST = 8 * 1024;

/** The dead-letter queue in SQS. The client is loaded with the first dead letter, so that a cold start does without it. */
export function deadLetterQueue({
  queueUrl,
  task,
  log,
}: {
  queueUrl: string;
  task: string;
  log: (entry: object) => void;
}): DeadLetters {
  let client: Promise<Pick<SQSClient, 'send'>> | undefined;
  return {
    async send(letters) {
      const stored: boolean[] = letters.map(() => false);
      for (const batch of batches(letters)) {
        try {
          const { SendMessageBatchCommand, SQSClient } = await import('@aws-sdk/client-sqs');
          client ??= Promise.resolve(new SQSClient({ maxAttempts: 3 }));
          const entries = batch.map((index) => toEntry(letters[index]!, index, task));
          const answer = await (await client).send(
            new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }),
          );
          for (const { Id } of answer.Successful ?? []) stored[Number(Id)] = true;
          for (const failed of answer.Failed ?? [])
            log({ event: 'dead letter not stored', code: failed.Code, reason: failed.Message });
        } catch (error) {
          log({ event: 'dead letters not stored', count: batch.length, reason: String(error) });
        }
      }
      return stored;
    },
  };
}

function toEntry(letter: DeadLetter, index: number, task: string): SendMessageBatchRequestEntry {
  return { Id: String(index), MessageBody: letter.body, MessageAttributes: deadLetterAttributes(letter, task) };
}

function* batches(letters: readonly DeadLetter[]): Generator<number[]> {
  let batch: number[] = [];
  let bytes = 0;
  for (const [index, { body }] of letters.entries()) {
    const size = Buffer.byteLength(body) + ATTRIBUTES_AT_MOST;
    if (batch.length === MAX_ENTRIES || (batch.length > 0 && bytes + size > MAX_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(index);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

import type {
  SendMessageBatchCommandInput,
  SendMessageBatchCommandOutput,
  SendMessageBatchRequestEntry,
} from '@aws-sdk/client-sqs';
import { type DeadLetter, type DeadLetters, deadLetterAttributes } from '../dead-letter.ts';

/** What SendMessageBatch takes in one call (Amazon SQS quotas). */
const MAX_ENTRIES = 10;
const MAX_BYTES = 1024 * 1024;
const ATTRIBUTES_AT_MOST = 8 * 1024;

export interface DeadLetterQueueOptions {
  readonly queueUrl: string;
  readonly task: string;
  /** Hears why a letter could not be stored. */
  readonly log: (entry: object) => void;
  /** @default the SQS client, loaded with the first dead letter, so that a cold start does without it */
  readonly connect?: () => Promise<SendMessageBatch>;
}

/** Sends a batch to the queue. */
export type SendMessageBatch = (
  input: SendMessageBatchCommandInput,
) => Promise<Omit<SendMessageBatchCommandOutput, '$metadata'>>;

/** The dead-letter queue in SQS. */
export function deadLetterQueue({ queueUrl, task, log, connect = connectSqs }: DeadLetterQueueOptions): DeadLetters {
  let client: Promise<SendMessageBatch> | undefined;
  return {
    async send(letters) {
      const stored: boolean[] = letters.map(() => false);
      for (const batch of batches(letters)) {
        try {
          client ??= connect();
          const send = await client;
          const entries = batch.map((index) => toEntry(letters[index]!, index, task));
          const { Successful = [], Failed = [] } = await send({ QueueUrl: queueUrl, Entries: entries });
          for (const { Id } of Successful) stored[Number(Id)] = true;
          for (const { Code, Message } of Failed) log({ event: 'dead letter not stored', code: Code, reason: Message });
        } catch (error) {
          log({ event: 'dead letters not stored', count: batch.length, reason: String(error) });
        }
      }
      return stored;
    },
  };
}

async function connectSqs(): Promise<SendMessageBatch> {
  const { SendMessageBatchCommand, SQSClient } = await import('@aws-sdk/client-sqs');
  const requestHandler = { connectionTimeout: 2_000, requestTimeout: 8_000, throwOnRequestTimeout: true };
  const client = new SQSClient({ maxAttempts: 3, requestHandler });
  return (input) => client.send(new SendMessageBatchCommand(input));
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

import type { SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs';
import type { SqsApi } from './api.ts';
import { MAX_ENTRIES } from './batches.ts';

/** Bytes that SendMessageBatch takes in one call (Amazon SQS, "Amazon SQS message quotas"). */
const MAX_BYTES = 1024 * 1024;
const CALLS_AT_ONCE = 8;

export type MessageAttributes = NonNullable<SendMessageBatchRequestEntry['MessageAttributes']>;
export type Entry = Omit<SendMessageBatchRequestEntry, 'Id'>;

export interface SendAllOptions {
  readonly api: SqsApi;
  readonly queueUrl: string;
  /** What the messages are, for the log. */
  readonly what: string;
  /** Receives why a message could not be stored. */
  readonly log: (entry: object) => void;
}

/** Sends messages to a queue in as few calls as possible. @returns for each whether it is stored. It never throws. */
export async function sendAll(
  entries: readonly Entry[],
  { api, queueUrl, what, log }: SendAllOptions,
): Promise<boolean[]> {
  const stored: boolean[] = entries.map(() => false);
  const calls = batches(entries);
  const sendNext = async () => {
    for (const batch of calls) {
      try {
        const Entries = batch.map((index) => ({ ...entries[index]!, Id: String(index) }));
        const { Successful = [], Failed = [] } = await api.sendBatch({ QueueUrl: queueUrl, Entries });
        for (const { Id } of Successful) stored[Number(Id)] = true;
        for (const { Code, Message } of Failed) log({ event: `${what} not stored`, code: Code, reason: Message });
      } catch (error) {
        log({ event: `${what} not stored`, count: batch.length, reason: String(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, sendNext));
  return stored;
}

function* batches(entries: readonly Entry[]): Generator<number[]> {
  let batch: number[] = [];
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    const size = sizeOf(entry);
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

// SQS counts a message's attributes with their names and types.
function sizeOf({ MessageBody = '', MessageAttributes = {} }: Entry): number {
  return Object.entries(MessageAttributes).reduce(
    (sum, [name, { DataType = '', StringValue = '' }]) =>
      sum + Buffer.byteLength(name) + Buffer.byteLength(DataType) + Buffer.byteLength(StringValue),
    Buffer.byteLength(MessageBody),
  );
}

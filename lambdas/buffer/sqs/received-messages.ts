import type { SqsApi } from './api.ts';
import type { LentMessage } from './message.ts';

/** DeleteMessageBatch and ChangeMessageVisibilityBatch take so many entries. */
const MAX_ENTRIES = 10;
/** Seconds until a message that stays is lent again: soon, and not at once. */
const COMES_AGAIN_AFTER_SECONDS = 15;

export interface LentOptions {
  readonly api: SqsApi;
  readonly queueUrl: string;
  readonly log: (entry: object) => void;
}

/** Deletes messages. One that could not be deleted comes again, which duplicates it and loses nothing. */
export async function remove(messages: readonly LentMessage[], { api, queueUrl, log }: LentOptions): Promise<void> {
  await inTens(messages, log, 'message not deleted', (Entries) => api.deleteBatch({ QueueUrl: queueUrl, Entries }));
}

/** Has messages that stay lent again soon, rather than when their visibility timeout ends. */
export async function comeAgainSoon(
  messages: readonly LentMessage[],
  { api, queueUrl, log }: LentOptions,
): Promise<void> {
  await inTens(messages, log, 'visibility not shortened', (entries) =>
    api.changeVisibilityBatch({
      QueueUrl: queueUrl,
      Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout: COMES_AGAIN_AFTER_SECONDS })),
    }),
  );
}

async function inTens(
  messages: readonly LentMessage[],
  log: (entry: object) => void,
  event: string,
  call: (
    entries: { Id: string; ReceiptHandle: string }[],
  ) => Promise<{ Failed?: { Code?: string | undefined; Message?: string | undefined }[] | undefined }>,
): Promise<void> {
  for (let from = 0; from < messages.length; from += MAX_ENTRIES) {
    const some = messages.slice(from, from + MAX_ENTRIES);
    try {
      const { Failed = [] } = await call(
        some.map(({ receiptHandle }, i) => ({ Id: String(i), ReceiptHandle: receiptHandle })),
      );
      for (const { Code, Message } of Failed) log({ event, code: Code, reason: Message });
    } catch (error) {
      log({ event, count: some.length, reason: String(error) });
    }
  }
}

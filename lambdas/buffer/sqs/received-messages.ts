import type { SqsApi } from './api.ts';
import { inTens } from './batches.ts';
import type { ReceivedMessage } from './message.ts';

/** Seconds until a message that stays in the queue is visible again. */
const RETURN_AFTER_SECONDS = 15;

export interface ReceivedMessagesOptions {
  readonly api: SqsApi;
  readonly queueUrl: string;
  readonly log: (entry: object) => void;
}

/** Deletes messages. One that cannot be deleted is redelivered: a duplicate, and nothing is lost. */
export async function remove(
  messages: readonly ReceivedMessage[],
  { api, queueUrl, log }: ReceivedMessagesOptions,
): Promise<void> {
  await inTens(
    messages,
    (Entries) => api.deleteBatch({ QueueUrl: queueUrl, Entries }),
    (failure) => log({ event: 'message not deleted', ...failure }),
  );
}

/** Shortens the visibility timeout of messages that stay in the queue, so that they are redelivered soon. */
export async function returnSoon(
  messages: readonly ReceivedMessage[],
  { api, queueUrl, log }: ReceivedMessagesOptions,
): Promise<void> {
  await inTens(
    messages,
    (entries) =>
      api.changeVisibilityBatch({
        QueueUrl: queueUrl,
        Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout: RETURN_AFTER_SECONDS })),
      }),
    (failure) => log({ event: 'visibility not shortened', ...failure }),
  );
}

import type { SqsApi } from './api.ts';
import { inTens } from './batches.ts';
import type { ReceivedMessage } from './message.ts';

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

/** Sets how long messages stay invisible from now on, in seconds. */
export async function setVisibility(
  messages: readonly ReceivedMessage[],
  seconds: number,
  { api, queueUrl, log }: ReceivedMessagesOptions,
): Promise<void> {
  await inTens(
    messages,
    (entries) =>
      api.changeVisibilityBatch({
        QueueUrl: queueUrl,
        Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout: seconds })),
      }),
    (failure) => log({ event: 'visibility not shortened', ...failure }),
  );
}

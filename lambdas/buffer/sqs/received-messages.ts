import type { SqsApi } from './api.ts';
import { inTens } from './batches.ts';
import type { LentMessage } from './message.ts';

/** Seconds until a message that stays is lent again: soon, and not at once. */
const COMES_AGAIN_AFTER_SECONDS = 15;

export interface LentOptions {
  readonly api: SqsApi;
  readonly queueUrl: string;
  readonly log: (entry: object) => void;
}

/** Deletes messages. One that could not be deleted comes again, which duplicates it and loses nothing. */
export async function remove(messages: readonly LentMessage[], { api, queueUrl, log }: LentOptions): Promise<void> {
  await inTens(
    messages,
    (Entries) => api.deleteBatch({ QueueUrl: queueUrl, Entries }),
    (failure) => log({ event: 'message not deleted', ...failure }),
  );
}

/** Has messages that stay lent again soon, rather than when their visibility timeout ends. */
export async function comeAgainSoon(
  messages: readonly LentMessage[],
  { api, queueUrl, log }: LentOptions,
): Promise<void> {
  await inTens(
    messages,
    (entries) =>
      api.changeVisibilityBatch({
        QueueUrl: queueUrl,
        Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout: COMES_AGAIN_AFTER_SECONDS })),
      }),
    (failure) => log({ event: 'visibility not shortened', ...failure }),
  );
}

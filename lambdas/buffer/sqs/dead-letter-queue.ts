import { type DeadLetters, deadLetterAttributes } from '../../worker/dead-letter.ts';
import type { SqsApi } from './api.ts';
import { sendAll } from './send-batch.ts';

export interface QueueOptions {
  readonly api: SqsApi;
  readonly queueUrl: string;
  /** Hears why a message could not be stored. */
  readonly log: (entry: object) => void;
}

/** The dead-letter queue in SQS. */
export function deadLetterQueue({ task, ...queue }: QueueOptions & { readonly task: string }): DeadLetters {
  return {
    send: (letters) =>
      sendAll(
        letters.map((letter) => ({ MessageBody: letter.body, MessageAttributes: deadLetterAttributes(letter, task) })),
        { ...queue, what: 'dead letter' },
      ),
  };
}

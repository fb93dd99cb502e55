import { type DeadLetters, deadLetterAttributes } from '../dead-letter.ts';
import { sendAll } from './send-batch.ts';
import type { SqsApi } from './sqs-api.ts';

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

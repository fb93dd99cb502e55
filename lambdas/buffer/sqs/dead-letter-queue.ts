import type { DeadLetters } from '../../worker/message.ts';
import type { SqsApi } from './api.ts';
import { deadLetterAttributes } from './dead-letter-attributes.ts';
import { sendAll } from './send-batch.ts';
import { escaped } from './sqs-text.ts';

export interface QueueOptions {
  readonly api: SqsApi;
  readonly queueUrl: string;
  /** Receives why a message could not be stored. */
  readonly log: (entry: object) => void;
}

/** The dead-letter queue in SQS. */
export function deadLetterQueue({ task, ...queue }: QueueOptions & { readonly task: string }): DeadLetters {
  return {
    send: (deadLetters) =>
      sendAll(
        deadLetters.map((deadLetter) => ({
          MessageBody: escaped(deadLetter.body),
          MessageAttributes: deadLetterAttributes(deadLetter, task),
        })),
        { ...queue, what: 'dead letter' },
      ),
  };
}

import { haltReporter } from '../../worker/circuit.ts';
import type { DeadLetters } from '../../worker/dead-letter.ts';
import type { RetryQueue } from '../../worker/requeued.ts';
import type { BatchReport } from '../../worker/worker.ts';
import type { SqsApi } from './api.ts';
import { deadLetterQueue } from './dead-letter-queue.ts';
import type { LentMessage } from './message.ts';
import { comeAgainSoon, remove } from './received-messages.ts';
import { retryQueue } from './retry-queue.ts';

/** The queues around a worker, as it uses them. None of these throws: what cannot be done is logged, and loses nothing. */
export interface TaskQueues {
  readonly deadLetters: DeadLetters;
  readonly retries: RetryQueue;
  /** Deletes messages from the queue with that ARN. */
  remove(messages: readonly LentMessage[], queueArn: string): Promise<void>;
  /** Has messages lent again soon by the queue with that ARN. */
  comeAgainSoon(messages: readonly LentMessage[], queueArn: string): Promise<void>;
  /** Tells the control function when the task as a whole cannot go on. */
  tellControl(report: BatchReport): Promise<void>;
}

export interface TaskQueuesOptions {
  readonly api: SqsApi;
  /** The function's environment: the queues' URLs. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly task: string;
  readonly log: (entry: object) => void;
  readonly now: () => number;
}

export function taskQueues({ api, env, task, log, now }: TaskQueuesOptions): TaskQueues {
  const { DEAD_LETTER_QUEUE_URL = '', RETRY_QUEUE_URL = '', QUEUE_URL = '', CONTROL_QUEUE_URL } = env;
  const urlOf = (queueArn: string) => {
    const name = queueArn.slice(queueArn.lastIndexOf(':') + 1);
    return RETRY_QUEUE_URL.endsWith(`/${name}`) ? RETRY_QUEUE_URL : QUEUE_URL;
  };
  return {
    deadLetters: deadLetterQueue({ api, queueUrl: DEAD_LETTER_QUEUE_URL, task, log }),
    retries: retryQueue({ api, queueUrl: RETRY_QUEUE_URL, log }),
    remove: (messages, queueArn) => remove(messages, { api, queueUrl: urlOf(queueArn), log }),
    comeAgainSoon: (messages, queueArn) => comeAgainSoon(messages, { api, queueUrl: urlOf(queueArn), log }),
    tellControl:
      CONTROL_QUEUE_URL === undefined
        ? async () => {}
        : haltReporter({ api, queueUrl: CONTROL_QUEUE_URL, task, log, now }),
  };
}

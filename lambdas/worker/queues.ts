import type { SqsApi } from '../buffer/sqs/api.ts';
import { deadLetterQueue } from '../buffer/sqs/dead-letter-queue.ts';
import { type BufferQueues, bufferQueues } from '../buffer/sqs/queues.ts';
import { CONTROL_QUEUE_URL, DEAD_LETTER_QUEUE_URL, type Environment, readVariable } from '../core/environment.ts';
import { circuit } from './circuit.ts';
import type { BatchReport, DeadLetters } from './message.ts';

/** The queues that a worker writes to. None of its functions throws: a call that fails is logged and loses nothing. */
export interface WorkerQueues {
  readonly deadLetters: DeadLetters;
  /** Opens those of a buffer in SQS. @throws InvalidOptionError for a missing URL. */
  readonly buffer: () => BufferQueues;
  /** Notifies the control function when the task as a whole cannot go on. */
  notifyControl(report: BatchReport): Promise<void>;
}

export interface WorkerQueuesOptions {
  readonly api: SqsApi;
  /** The function's environment, which holds the queues' URLs. */
  readonly env: Environment;
  readonly task: string;
  readonly log: (entry: object) => void;
  readonly now: () => number;
}

/** @throws InvalidOptionError for a missing URL. */
export function workerQueues({ api, env, task, log, now }: WorkerQueuesOptions): WorkerQueues {
  return {
    deadLetters: deadLetterQueue({ api, queueUrl: readVariable(env, DEAD_LETTER_QUEUE_URL), task, log }),
    buffer: () => bufferQueues({ api, env, log }),
    notifyControl: circuit({ api, queueUrl: readVariable(env, CONTROL_QUEUE_URL), task, log, now }),
  };
}

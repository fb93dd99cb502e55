import { type Environment, QUEUE_URL, RETRY_QUEUE_URL, readVariable } from '../../core/environment.ts';
import type { Requeue } from '../../worker/message.ts';
import type { SqsApi } from './api.ts';
import type { ReceivedMessage } from './message.ts';
import { remove, setVisibility } from './received-messages.ts';
import { retryQueue } from './retry-queue.ts';

/** The two queues of a buffer in SQS. None of these functions throws: a call that fails is logged and loses nothing. */
export interface BufferQueues {
  readonly requeue: Requeue;
  /** Deletes messages from the queue with that ARN. */
  remove(messages: readonly ReceivedMessage[], queueArn: string): Promise<void>;
  /** Sets how many seconds messages in the queue with that ARN stay invisible. */
  setVisibility(messages: readonly ReceivedMessage[], queueArn: string, seconds: number): Promise<void>;
}

export interface BufferQueuesOptions {
  readonly api: SqsApi;
  /** The function's environment, which holds the queues' URLs. */
  readonly env: Environment;
  readonly log: (entry: object) => void;
}

/** @throws InvalidOptionError for a missing URL. */
export function bufferQueues({ api, env, log }: BufferQueuesOptions): BufferQueues {
  const queueUrl = readVariable(env, QUEUE_URL);
  const retryQueueUrl = readVariable(env, RETRY_QUEUE_URL);
  const urlOf = (queueArn: string) => {
    const name = queueArn.slice(queueArn.lastIndexOf(':') + 1);
    return retryQueueUrl.endsWith(`/${name}`) ? retryQueueUrl : queueUrl;
  };
  return {
    requeue: retryQueue({ api, queueUrl: retryQueueUrl, log }),
    remove: (messages, queueArn) => remove(messages, { api, queueUrl: urlOf(queueArn), log }),
    setVisibility: (messages, queueArn, seconds) =>
      setVisibility(messages, seconds, { api, queueUrl: urlOf(queueArn), log }),
  };
}

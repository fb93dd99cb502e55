import type { ReceivedMessage } from '../../lambdas/buffer/sqs/message.ts';
import type { DeadLetter, Requeued, TaskStop } from '../../lambdas/worker/message.ts';
import type { WorkerQueues } from '../../lambdas/worker/queues.ts';

/** A worker's queues that record what was sent to them. */
export interface ScriptedQueues extends WorkerQueues {
  readonly dlqMessages: DeadLetter[];
  readonly requeued: Requeued[];
  readonly removed: ReceivedMessage[];
  /** Messages whose visibility timeout was changed, with the new timeout. */
  readonly shortened: { readonly id: string; readonly seconds: number }[];
  readonly stops: TaskStop[];
}

export interface QueueScript {
  /** Whether a dead letter can be stored. @default always */
  readonly stores?: (dlqMessage: DeadLetter) => boolean;
  /** Whether a message can be requeued. @default always */
  readonly keeps?: (message: Requeued) => boolean;
}

/** The environment variables that every worker needs. */
export const WORKER_ENV = { RULE_ARNS: 'arn:rule/1', TARGET_ARN: 'arn:target/*' };

export function scriptedQueues({ stores = () => true, keeps = () => true }: QueueScript = {}): ScriptedQueues {
  const dlqMessages: DeadLetter[] = [];
  const requeued: Requeued[] = [];
  const removed: ReceivedMessage[] = [];
  const shortened: { id: string; seconds: number }[] = [];
  const stops: TaskStop[] = [];
  return {
    dlqMessages,
    requeued,
    removed,
    shortened,
    stops,
    deadLetters: {
      send: async (given) => given.map((deadLetter) => taken(deadLetter, stores(deadLetter), dlqMessages)),
    },
    buffer: () => ({
      requeue: {
        send: async (given) => given.map((message) => (taken(message, keeps(message), requeued) ? 'stored' : 'failed')),
      },
      async remove(messages) {
        removed.push(...messages);
      },
      async setVisibility(messages, _, seconds) {
        shortened.push(...messages.map(({ id }) => ({ id, seconds })));
      },
    }),
    async notifyControl({ stop }) {
      if (stop !== undefined) stops.push(stop);
    },
  };
}

/** The buffer of {@link scriptedQueues}, for a worker without a handler. */
export function scriptedBuffer({ buffer }: Pick<ScriptedQueues, 'buffer'>) {
  return { requeue: buffer().requeue, retryMode: 'requeue' } as const;
}

function taken<Item>(item: Item, isTaken: boolean, into: Item[]): boolean {
  if (isTaken) into.push(item);
  return isTaken;
}

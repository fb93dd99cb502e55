import type { LentMessage } from '../../lambdas/buffer/sqs/message.ts';
import type { TaskQueues } from '../../lambdas/buffer/sqs/task-queues.ts';
import type { DeadLetter } from '../../lambdas/worker/dead-letter.ts';
import type { Requeued } from '../../lambdas/worker/requeued.ts';
import type { Halt } from '../../lambdas/worker/worker.ts';

export interface ScriptedQueues extends TaskQueues {
  readonly letters: DeadLetter[];
  readonly requeued: Requeued[];
  readonly removed: LentMessage[];
  readonly shortened: LentMessage[];
  readonly halts: Halt[];
}

export interface QueueScript {
  readonly stores?: (letter: DeadLetter) => boolean;
  readonly keeps?: (message: Requeued) => boolean;
}

/** The queues around a worker, which do as they are told, and remember. */
export function scriptedQueues({ stores = () => true, keeps = () => true }: QueueScript = {}): ScriptedQueues {
  const letters: DeadLetter[] = [];
  const requeued: Requeued[] = [];
  const removed: LentMessage[] = [];
  const shortened: LentMessage[] = [];
  const halts: Halt[] = [];
  return {
    letters,
    requeued,
    removed,
    shortened,
    halts,
    deadLetters: { send: async (given) => given.map((letter) => taken(letter, stores(letter), letters)) },
    retries: { send: async (given) => given.map((message) => taken(message, keeps(message), requeued)) },
    async remove(messages) {
      removed.push(...messages);
    },
    async comeAgainSoon(messages) {
      shortened.push(...messages);
    },
    async tellControl({ halt }) {
      if (halt !== undefined) halts.push(halt);
    },
  };
}

function taken<Item>(item: Item, isTaken: boolean, into: Item[]): boolean {
  if (isTaken) into.push(item);
  return isTaken;
}

import type { RetryQueue } from '../retry-queue.ts';

/** What a running function remembers of records that its stream will hand it again. */
export interface StreamMemory {
  /** Stands where a retry queue would: nothing leaves a stream, so every record stays, and how often it failed is noted. */
  readonly stays: RetryQueue;
  failures(id: string): { readonly count: number; readonly since: number } | undefined;
  isDone(id: string): boolean;
  /** After a batch: what of it comes again, and which of that is done already. The rest is forgotten. */
  keep(shard: string, comesAgain: readonly string[], failed: ReadonlySet<string>): void;
}

/**
 * A function that starts anew remembers nothing: then records that were delivered are delivered twice, and retries last
 * longer, but no record is given up early.
 */
export function streamMemory(now: () => number): StreamMemory {
  const failures = new Map<string, { count: number; since: number }>();
  const done = new Set<string>();
  const held = new Map<string, readonly string[]>();
  return {
    stays: {
      async send(messages) {
        for (const { id, attempt } of messages) {
          const known = failures.get(id);
          // A record that was parked has the attempts that it had.
          if (attempt > (known?.count ?? 0)) failures.set(id, { count: attempt, since: known?.since ?? now() });
        }
        return messages.map(() => false);
      },
    },
    failures: (id) => failures.get(id),
    isDone: (id) => done.has(id),
    keep(shard, comesAgain, failed) {
      const again = new Set(comesAgain);
      for (const id of held.get(shard) ?? []) {
        if (again.has(id)) continue;
        failures.delete(id);
        done.delete(id);
      }
      for (const id of comesAgain) if (!failed.has(id)) done.add(id);
      held.set(shard, comesAgain);
    },
  };
}

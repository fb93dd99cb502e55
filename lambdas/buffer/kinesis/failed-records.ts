import type { OwedChildren } from '../../worker/children.ts';
import type { Requeued, RetryQueue } from '../../worker/requeued.ts';

/** What a running function remembers of records that its stream will hand it again. */
export interface StreamMemory {
  /** Stands where a retry queue would: nothing leaves a stream, so every record stays, and how often it failed is noted. */
  readonly stays: RetryQueue;
  failures(id: string): Failures | undefined;
  isDone(id: string): boolean;
  /** After a batch: what of it comes again, and which of that is done already. The rest is forgotten. */
  keep(shard: string, comesAgain: readonly string[], failed: ReadonlySet<string>): void;
}

export interface Failures {
  /** Tries that failed. */
  readonly count: number;
  /** How long it has failed, as far as it was tried: what the task was paused or stopped for is no part of it. */
  readonly failingMs: number;
  /** Which of its children are still owed; all when absent. */
  readonly children: OwedChildren | undefined;
  /** Its last try that failed: milliseconds since 1970. Undefined when it was not tried since. */
  readonly failedAt: number | undefined;
}

/** Between two tries there is hardly more, unless the task was stopped. */
const BETWEEN_TRIES_MS = 60_000;

/**
 * A function that starts anew remembers nothing: then records that were delivered are delivered twice, and retries last
 * longer, but no record is given up early.
 */
export function streamMemory(now: () => number): StreamMemory {
  const failures = new Map<string, Failures>();
  const done = new Set<string>();
  const held = new Map<string, readonly string[]>();
  return {
    stays: {
      async send(messages) {
        for (const [id, parts] of byId(messages)) {
          const { count, failingMs, failedAt } = failures.get(id) ?? NONE;
          // A record that was parked has the attempts that it had.
          const attempt = Math.max(...parts.map((part) => part.attempt));
          const isTried = attempt > count;
          const sinceMs = isTried && failedAt !== undefined ? Math.min(now() - failedAt, BETWEEN_TRIES_MS) : 0;
          failures.set(id, {
            count: Math.max(attempt, count),
            failingMs: failingMs + sinceMs,
            children: together(parts),
            failedAt: isTried ? now() : undefined,
          });
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

const NONE: Failures = { count: 0, failingMs: 0, children: undefined, failedAt: undefined };

function byId(messages: readonly Requeued[]): Map<string, Requeued[]> {
  const groups = new Map<string, Requeued[]>();
  for (const message of messages) groups.set(message.id, [...(groups.get(message.id) ?? []), message]);
  return groups;
}

function together(parts: readonly Requeued[]): OwedChildren | undefined {
  const owed = parts.flatMap(({ children }) => children ?? []);
  return owed.length < parts.length ? undefined : { by: owed[0]!.by, numbers: owed.flatMap(({ numbers }) => numbers) };
}

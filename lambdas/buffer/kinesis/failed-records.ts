import type { OwedChildren, Requeue, Requeued } from '../../worker/message.ts';

/** What a running function remembers of the records that its stream redelivers. */
export interface FailedRecords {
  /** Records each failed try; no record leaves a stream, so all of them are redelivered. */
  readonly requeue: Requeue;
  failures(id: string): Failures | undefined;
  isDone(id: string): boolean;
  /** Ends a batch: remembers which of the redelivered records are done already, and forgets all others of the shard. */
  keep(shard: string, redelivered: readonly string[], failed: ReadonlySet<string>): void;
}

export interface Failures {
  /** Tries that failed. */
  readonly count: number;
  /** How long the record has failed while it was tried; a pause of the task does not count. */
  readonly failingMs: number;
  /** Which of its children are still owed; all when absent. */
  readonly children: OwedChildren | undefined;
  /** The last try that failed: milliseconds since 1970. Undefined when the record was deferred since. */
  readonly failedAt: number | undefined;
  /** Stop errors that deferred it, each at least {@link BETWEEN_STOPS_MS} after the one before. */
  readonly stops: number;
  readonly stopCountedAt: number;
}

/** Two tries are hardly further apart than this, unless the task was stopped. */
const MAX_BETWEEN_TRIES_MS = 60_000;
/** A queue defers a message for at least as long; a stream redelivers within a second, until the control function stops the task. */
const BETWEEN_STOPS_MS = 30_000;

/**
 * A function that starts anew remembers nothing: records that were delivered are then delivered twice, and retries last longer,
 * but no record is given up early.
 */
export function failedRecords(now: () => number): FailedRecords {
  const failures = new Map<string, Failures>();
  const done = new Set<string>();
  const held = new Map<string, readonly string[]>();
  return {
    requeue: {
      async send(messages) {
        for (const [id, parts] of byId(messages)) {
          const { count, failingMs, failedAt, stops, stopCountedAt } = failures.get(id) ?? NONE;
          const newStops = Math.max(...parts.map((part) => part.stops ?? 0));
          const isCounted = newStops > stops && now() - stopCountedAt >= BETWEEN_STOPS_MS;
          // A deferred record keeps its attempts.
          const attempt = Math.max(...parts.map((part) => part.attempt));
          const isTried = attempt > count;
          const sinceMs = isTried && failedAt !== undefined ? Math.min(now() - failedAt, MAX_BETWEEN_TRIES_MS) : 0;
          failures.set(id, {
            count: Math.max(attempt, count),
            failingMs: failingMs + sinceMs,
            children: merge(parts),
            failedAt: isTried ? now() : undefined,
            stops: isCounted ? newStops : stops,
            stopCountedAt: isCounted ? now() : stopCountedAt,
          });
        }
        return messages.map(() => 'redelivered');
      },
    },
    failures: (id) => failures.get(id),
    isDone: (id) => done.has(id),
    keep(shard, redelivered, failed) {
      const again = new Set(redelivered);
      for (const id of held.get(shard) ?? []) {
        if (again.has(id)) continue;
        failures.delete(id);
        done.delete(id);
      }
      for (const id of redelivered) if (!failed.has(id)) done.add(id);
      held.set(shard, redelivered);
    },
  };
}

const NONE: Failures = {
  count: 0,
  failingMs: 0,
  children: undefined,
  failedAt: undefined,
  stops: 0,
  stopCountedAt: Number.NEGATIVE_INFINITY,
};

function byId(messages: readonly Requeued[]): Map<string, Requeued[]> {
  const groups = new Map<string, Requeued[]>();
  for (const message of messages) groups.set(message.id, [...(groups.get(message.id) ?? []), message]);
  return groups;
}

function merge(parts: readonly Requeued[]): OwedChildren | undefined {
  const owed = parts.flatMap(({ children }) => children ?? []);
  return owed.length < parts.length ? undefined : { by: owed[0]!.by, numbers: owed.flatMap(({ numbers }) => numbers) };
}

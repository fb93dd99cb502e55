import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudTask } from './cloud.ts';
import { belongsTo, type DeadLetter, readDeadLetter, UNKNOWN_CODE } from './dead-letter.ts';
import { type DeadLetterQueue, type ReceivedDeadLetter, scan } from './dead-letter-queue.ts';

export interface RedriveOptions {
  /** Codes of the dead letters to redrive; all if empty. */
  readonly codes: readonly string[];
  /** @default no limit */
  readonly ratePerSecond?: number | undefined;
  /** Counts what would be redriven, and redrives nothing. */
  readonly isDry: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly wait?: (ms: number) => Promise<unknown>;
  /** Called with the counts after each batch. */
  readonly onProgress?: (counts: RedriveCounts) => void;
}

/** Results of a redrive, each counted by code. */
export interface RedriveCounts {
  readonly redriven: Readonly<Record<string, number>>;
  /** Of another code, of another task, or of an unknown sender. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Dead-lettered during this redrive. They are left, because redriving them too might never end. */
  readonly returned: Readonly<Record<string, number>>;
  /** Not stored by the task's buffer. They are still in the dead-letter queue. */
  readonly failed: Readonly<Record<string, number>>;
}

export interface RedriveResult extends RedriveCounts {
  /** The queue kept returning messages that were read already, so it may hold others. */
  readonly mayHaveMore: boolean;
}

/** Largest difference between the clocks of SQS and of this machine: AWS refuses requests beyond it. */
const CLOCKS_DIFFER_MS = 300_000;

/**
 * Sends dead letters to the buffer of their task. A dead letter is deleted only after the buffer has stored it, so two redrives at
 * once, or an interrupted one, may duplicate messages and lose none.
 *
 * @param task The task whose DLQ messages are redriven; `any` redrives the DLQ messages of all tasks.
 */
export async function redrive(
  task: Pick<CloudTask, 'name' | 'rules'> | 'any',
  queue: DeadLetterQueue,
  { codes, ratePerSecond, isDry, now, wait = sleep, onProgress = () => {} }: RedriveOptions,
): Promise<RedriveResult> {
  const startedAt = now();
  const done = new Set<string>();
  const counts = { redriven: {}, skipped: {}, returned: {}, failed: {} } satisfies Record<keyof RedriveCounts, object>;
  const count = (result: keyof RedriveCounts, { code }: DeadLetter) => {
    const byCode: Record<string, number> = counts[result];
    byCode[code] = (byCode[code] ?? 0) + 1;
  };

  function planFor({ sentAt }: ReceivedDeadLetter, deadLetter: DeadLetter): 'skipped' | 'returned' | 'redriven' {
    if (deadLetter.code === UNKNOWN_CODE || (task !== 'any' && !belongsTo(task, deadLetter))) return 'skipped';
    if (codes.length > 0 && !codes.includes(deadLetter.code)) return 'skipped';
    const isRecent = sentAt > startedAt - CLOCKS_DIFFER_MS;
    return sentAt > startedAt || (isRecent && done.has(deadLetter.id)) ? 'returned' : 'redriven';
  }

  let mayHaveMore = false;
  const onRepeats = () => {
    mayHaveMore = true;
  };
  for await (const { deadLetters, deleted } of scan(queue, { now, onRepeats })) {
    const chosen: { received: ReceivedDeadLetter; deadLetter: DeadLetter }[] = [];
    for (const received of deadLetters) {
      const deadLetter = readDeadLetter(received);
      const plan = planFor(received, deadLetter);
      if (plan === 'redriven' && !isDry) chosen.push({ received, deadLetter });
      else count(plan, deadLetter);
    }
    const batchSize = ratePerSecond ?? chosen.length;
    for (let from = 0; from < chosen.length; from += batchSize) {
      const some = chosen.slice(from, from + batchSize);
      const sentAt = now();
      const stored = await queue.redrive(some.map(({ received }) => received));
      some.forEach(({ received, deadLetter }, i) => {
        count(stored[i] ? 'redriven' : 'failed', deadLetter);
        if (!stored[i]) return;
        deleted([received]);
        done.add(deadLetter.id);
      });
      onProgress(counts);
      if (ratePerSecond !== undefined) await wait(Math.max(0, sentAt + (some.length * 1000) / ratePerSecond - now()));
    }
    onProgress(counts);
  }
  return { ...counts, mayHaveMore };
}

/** Sum of one map of {@link RedriveCounts}. */
export function total(byCode: Readonly<Record<string, number>>): number {
  return Object.values(byCode).reduce((sum, n) => sum + n, 0);
}

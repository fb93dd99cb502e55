import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudTask } from './cloud.ts';
import { isLetterOf, type Letter, readLetter } from './letter.ts';
import { type LentLetter, type LetterQueue, scan } from './letter-queue.ts';

export interface RedriveOptions {
  /** Codes of the letters to put back; all when empty. */
  readonly codes: readonly string[];
  /** @default as fast as the queues go */
  readonly ratePerSecond?: number | undefined;
  /** Counts what would be put back, and puts nothing back. */
  readonly isDry: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly wait?: (ms: number) => Promise<unknown>;
  /** Hears the counts as they grow. */
  readonly onProgress?: (counts: RedriveCounts) => void;
}

/** What became of the letters; each map counts by code. */
export interface RedriveCounts {
  readonly redriven: Readonly<Record<string, number>>;
  /** Not asked for, or another task's. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Dead-lettered while this went on: putting those back too might go on without end. */
  readonly returned: Readonly<Record<string, number>>;
  /** Could not be put back, and are where they were. */
  readonly failed: Readonly<Record<string, number>>;
}

export interface RedriveResult extends RedriveCounts {
  /** The queue went on giving letters that were left, and there may be others in it. */
  readonly mayHaveMore: boolean;
}

/** How far the clocks of SQS and of this machine may be apart: AWS refuses requests beyond it. */
const CLOCKS_DIFFER_MS = 300_000;

/**
 * Puts dead letters back into the queue of their task, with the attributes that tell the worker to start them afresh. A letter
 * is deleted only once it is stored there: doing this twice at once, or ending it half-way, duplicates at most.
 */
export async function redrive(
  task: Pick<CloudTask, 'name' | 'rules'>,
  queue: LetterQueue,
  { codes, ratePerSecond, isDry, now, wait = sleep, onProgress = () => {} }: RedriveOptions,
): Promise<RedriveResult> {
  const startedAt = now();
  const done = new Set<string>();
  const counts = { redriven: {}, skipped: {}, returned: {}, failed: {} } satisfies Record<keyof RedriveCounts, object>;
  const count = (kind: keyof RedriveCounts, { code }: Letter) => {
    const byCode: Record<string, number> = counts[kind];
    byCode[code] = (byCode[code] ?? 0) + 1;
  };

  function kindOf(lent: LentLetter, letter: Letter): keyof RedriveCounts {
    if (!isLetterOf(task, letter) || (codes.length > 0 && !codes.includes(letter.code))) return 'skipped';
    const isRecent = lent.sentAt > startedAt - CLOCKS_DIFFER_MS;
    return lent.sentAt > startedAt || (isRecent && done.has(letter.id)) ? 'returned' : 'redriven';
  }

  let mayHaveMore = false;
  const onRepeats = () => {
    mayHaveMore = true;
  };
  for await (const { letters, gone } of scan(queue, { now, onRepeats })) {
    const chosen: { lent: LentLetter; letter: Letter }[] = [];
    for (const lent of letters) {
      const letter = readLetter(lent);
      const kind = kindOf(lent, letter);
      if (kind === 'redriven' && !isDry) chosen.push({ lent, letter });
      else count(kind, letter);
    }
    const atOnce = ratePerSecond ?? chosen.length;
    for (let from = 0; from < chosen.length; from += atOnce) {
      const some = chosen.slice(from, from + atOnce);
      const sentAt = now();
      const stored = await queue.putBack(some.map(({ lent }) => lent));
      some.forEach(({ lent, letter }, i) => {
        count(stored[i] ? 'redriven' : 'failed', letter);
        if (!stored[i]) return;
        gone([lent]);
        done.add(letter.id);
      });
      onProgress(counts);
      if (ratePerSecond !== undefined) await wait(Math.max(0, sentAt + (some.length * 1000) / ratePerSecond - now()));
    }
    onProgress(counts);
  }
  return { ...counts, mayHaveMore };
}

/** How many letters there are in one count of {@link RedriveCounts}. */
export function total(byCode: Readonly<Record<string, number>>): number {
  return Object.values(byCode).reduce((sum, n) => sum + n, 0);
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudTask, TaskReport, Wish } from '../cloud/cloud.ts';
import type { Terminal } from './terminal.ts';

const EACH_MS = 500;
const BAR = 30;

/** How far a task is on its way to what was asked for. */
export type Verdict = 'reached' | 'failed' | 'underWay';

/** Judges a report, by the one from before the wish: what was wrong then may still be told, and is no answer. */
export function verdict(wish: Wish, before: TaskReport, { status, mappings, stoppedAt }: TaskReport): Verdict {
  if (wish.kind === 'pause')
    return status === 'Paused' && mappings.every((state) => state === 'Disabled') ? 'reached' : 'underWay';
  if (status === 'Running') return 'reached';
  const isStopped = status === 'Ready' || status === 'Start Failed';
  return isStopped && stoppedAt !== before.stoppedAt ? 'failed' : 'underWay';
}

export interface Reached {
  readonly verdict: Verdict;
  readonly report: TaskReport;
  readonly elapsedMs: number;
}

/** Asks a task for something, and waits for it with a bar. @param timeoutMs It is given up then; the wish holds. */
export async function reach(
  task: CloudTask,
  wish: Wish,
  { before, timeoutMs, terminal }: { before: TaskReport; timeoutMs: number; terminal: Terminal },
): Promise<Reached> {
  const startedAt = Date.now();
  let report = before;
  const waiting = async (): Promise<Reached> => {
    await task.ask(wish);
    for (;;) {
      report = await task.status();
      const elapsedMs = Date.now() - startedAt;
      const outcome = verdict(wish, before, report);
      if (outcome !== 'underWay' || elapsedMs >= timeoutMs) return { verdict: outcome, report, elapsedMs };
      await sleep(EACH_MS);
    }
  };
  return terminal.during(() => bar(task.name, report, Date.now() - startedAt, timeoutMs), waiting());
}

function bar(name: string, { status, mappings }: TaskReport, elapsedMs: number, timeoutMs: number): string {
  const full = Math.min(BAR, Math.round((BAR * elapsedMs) / timeoutMs));
  const seconds = `${Math.round(elapsedMs / 1000)} of ${Math.round(timeoutMs / 1000)} s`;
  return `${name} [${'#'.repeat(full)}${'-'.repeat(BAR - full)}] ${status}, mappings ${mappings.join(' ')}, ${seconds}`;
}

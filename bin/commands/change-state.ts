import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudTask, OperatorRequest, TaskReport } from '../cloud/cloud.ts';
import type { Terminal } from './terminal.ts';

const POLL_MS = 500;
const BAR_CHARACTERS = 30;

/** Whether a task has the state that a request asks for. */
export type Progress = 'pending' | 'reached' | 'failed';

/**
 * Judges a report after a request. A failure counts only if it is newer than the report from before the request: the old one may
 * still be stored.
 */
export function progress(
  request: OperatorRequest,
  before: TaskReport,
  { status, mappings, stoppedAt }: TaskReport,
): Progress {
  if (request.kind === 'pause')
    return status === 'Paused' && mappings.every((state) => state === 'Disabled') ? 'reached' : 'pending';
  if (status === 'Running') return 'reached';
  const isStopped = status === 'Ready' || status === 'Start Failed';
  return isStopped && stoppedAt !== before.stoppedAt ? 'failed' : 'pending';
}

/** The time that a command waits by. */
export interface WaitClock {
  /** Milliseconds since 1970. */
  now(): number;
  sleep(ms: number): Promise<unknown>;
}

const systemClock: WaitClock = { now: Date.now, sleep };

export interface StateChange {
  readonly progress: Progress;
  readonly report: TaskReport;
  readonly elapsedMs: number;
}

/**
 * Sends a request to a task and waits, with a progress bar, until the task has the state.
 *
 * @param timeoutMs After this time the progress is still `pending`. The request stays in effect.
 * @param clock defaults to the clock of the machine
 */
export async function changeState(
  task: CloudTask,
  request: OperatorRequest,
  {
    before,
    timeoutMs,
    terminal,
    clock = systemClock,
  }: { before: TaskReport; timeoutMs: number; terminal: Terminal; clock?: WaitClock | undefined },
): Promise<StateChange> {
  const startedAt = clock.now();
  let report = before;
  const waiting = async (): Promise<StateChange> => {
    await task.request(request);
    for (;;) {
      report = await task.status();
      const elapsedMs = clock.now() - startedAt;
      const now = progress(request, before, report);
      if (now !== 'pending' || elapsedMs >= timeoutMs) return { progress: now, report, elapsedMs };
      await clock.sleep(POLL_MS);
    }
  };
  return terminal.during(() => bar(task.name, report, clock.now() - startedAt, timeoutMs), waiting());
}

function bar(name: string, { status, mappings }: TaskReport, elapsedMs: number, timeoutMs: number): string {
  const full = Math.min(BAR_CHARACTERS, Math.round((BAR_CHARACTERS * elapsedMs) / timeoutMs));
  const seconds = `${Math.round(elapsedMs / 1000)} of ${Math.round(timeoutMs / 1000)} s`;
  return `${name} [${'#'.repeat(full)}${'-'.repeat(BAR_CHARACTERS - full)}] ${status}, mappings ${mappings.join(' ')}, ${seconds}`;
}

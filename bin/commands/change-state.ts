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
  /** Resolves after the time, or when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<unknown>;
}

export const systemClock: WaitClock = {
  now: Date.now,
  sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
};

/** Waits for work. @returns undefined if it has not ended in time. */
export async function within<Result>(work: Promise<Result>, ms: number, clock: WaitClock): Promise<Result | undefined> {
  const ended = new AbortController();
  try {
    return await Promise.race([work, clock.sleep(ms, ended.signal).then(() => undefined)]);
  } finally {
    ended.abort();
  }
}

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
  let isOver = false;
  const waiting = async (): Promise<Progress> => {
    await task.request(request);
    while (!isOver) {
      report = await task.status();
      const now = progress(request, before, report);
      if (now !== 'pending') return now;
      await clock.sleep(POLL_MS);
    }
    return 'pending';
  };
  const reached = await terminal.during(
    () => bar(task.name, report, clock.now() - startedAt, timeoutMs),
    // A call to AWS may hang, too.
    within(waiting(), timeoutMs, clock),
  );
  isOver = true;
  return { progress: reached ?? 'pending', report, elapsedMs: clock.now() - startedAt };
}

/** What a request still waits for when its time is over. */
export function waitsFor({ status, mappings }: TaskReport): string {
  return status === 'Starting' && mappings.some((state) => state !== 'Enabled')
    ? `AWS Lambda has not enabled its event source mappings yet (${mappings.join(', ')})`
    : 'the control function has not carried out the request yet';
}

function bar(name: string, { status, mappings }: TaskReport, elapsedMs: number, timeoutMs: number): string {
  const full = Math.min(BAR_CHARACTERS, Math.round((BAR_CHARACTERS * elapsedMs) / timeoutMs));
  const seconds = `${Math.round(elapsedMs / 1000)} of ${Math.round(timeoutMs / 1000)} s`;
  return `${name} [${'#'.repeat(full)}${'-'.repeat(BAR_CHARACTERS - full)}] ${status}, mappings ${mappings.join(' ')}, ${seconds}`;
}

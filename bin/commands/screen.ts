import type { RunningTask } from '../../localstack/one-process/task.ts';

/** A task's counters as one line. */
export function countersText({ name, counters, queue, deadLetterQueue }: RunningTask): string {
  const { incoming, filtered, outgoing, deadLettered, failed } = counters;
  const counts = queue?.counts;
  const waiting = counts === undefined ? 0 : counts.visible + counts.inFlight + counts.delayed;
  const deadLetters = deadLetterQueue?.counts.visible ?? 0;
  const parts = [
    `${incoming} incoming`,
    `${filtered} filtered`,
    `${outgoing} outgoing`,
    `${deadLettered} dead-lettered`,
  ];
  if (failed > 0) parts.push(`${failed} attempts failed`);
  if (waiting > 0) parts.push(`${waiting} waiting`);
  if (deadLetters > deadLettered) parts.push(`${deadLetters} in the dead-letter queue`);
  return `${name}: ${parts.join(', ')}`;
}

/** What tasks have not finished: their messages in flight, delayed and waiting, by task. */
export function pendingText(tasks: readonly RunningTask[]): string {
  const pending = tasks.flatMap(({ name, queue, retryQueue, stream }) => {
    const counts = [queue, retryQueue].flatMap((one) => (one === undefined ? [] : [one.counts]));
    const sum = (of: 'inFlight' | 'delayed' | 'visible') => counts.reduce((total, one) => total + one[of], 0);
    const parts = [`${sum('inFlight')} in flight`, `${sum('delayed')} delayed`, `${sum('visible')} waiting`];
    const texts = parts.filter((part) => !part.startsWith('0 '));
    if (stream !== undefined) texts.push(`records of its stream ${stream}`);
    return texts.length === 0 ? [] : [`${name}: ${texts.join(', ')}`];
  });
  return pending.join('; ') || 'running batches';
}

/** The number of messages in the tasks' queues, those that wait for a retry or for a paused task included. */
export function undeliveredMessages(tasks: readonly RunningTask[]): number {
  // Tasks may share a queue.
  const queues = new Set(tasks.flatMap(({ queue, retryQueue }) => [queue ?? [], retryQueue ?? []].flat()));
  return [...queues].reduce((sum, { counts }) => sum + counts.inFlight + counts.delayed + counts.visible, 0);
}

/** Prints each change of the counters, at most a few times a second. */
export function watchCounters(
  tasks: readonly RunningTask[],
  print: (line: string) => void,
): { changed: () => void; stop: () => void } {
  const printed = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;
  const show = () => {
    timer = undefined;
    for (const task of tasks) {
      const line = countersText(task);
      if (printed.get(task.name) !== line) print(line);
      printed.set(task.name, line);
    }
  };
  return {
    changed: () => {
      timer ??= setTimeout(show, 250);
    },
    stop: () => {
      clearTimeout(timer);
      show();
    },
  };
}

/** Resolves at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    let isInterrupted = false;
    const interrupt = () => {
      if (isInterrupted) process.exit(130);
      isInterrupted = true;
      resolve();
    };
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
  });
}

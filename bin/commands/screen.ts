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

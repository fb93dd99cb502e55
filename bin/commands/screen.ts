import type { RunningTask } from '../../localstack/one-process/task.ts';

/** One task's counters as a line. */
export function countersText({ name, counters, queue, deadLetterQueue }: RunningTask): string {
  const { incoming, filtered, outgoing, deadLettered, failed } = counters;
  const held = queue?.counts;
  const waiting = held === undefined ? 0 : held.visible + held.inFlight + held.delayed;
  const letters = deadLetterQueue?.counts.visible ?? 0;
  const parts = [
    `${incoming} incoming`,
    `${filtered} filtered`,
    `${outgoing} outgoing`,
    `${deadLettered} dead-lettered`,
  ];
  if (failed > 0) parts.push(`${failed} tries failed`);
  if (waiting > 0) parts.push(`${waiting} waiting`);
  if (letters > deadLettered) parts.push(`${letters} in the dead-letter queue`);
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
    let asked = false;
    const interrupt = () => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    };
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
  });
}

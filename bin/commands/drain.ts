import type { Command } from 'commander';
import { pickOne } from '../cloud/cloud.ts';
import { type RedriveCounts, redrive, total } from '../cloud/redrive.ts';
import { type Operator, onCloud, operatorCommand, printResult, type Scope, wholeNumber } from './operator.ts';
import { line, summary } from './redrive.ts';

interface DrainOptions extends Scope {
  readonly queue: string;
  readonly task: string;
  readonly rate?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** `outflow drain`: moves the messages of a queue that a task has left behind to the buffer of a task. */
export function drainCommand(operator: Operator): Command {
  return operatorCommand('drain', operator)
    .description(
      'Move the messages of a retained queue (see `outflow list`) to the buffer of a task; a second drain is safe',
    )
    .requiredOption('--queue <url>', 'URL of the queue')
    .requiredOption('--task <name>', 'name of the task, or path of its construct')
    .option('--rate <n>', 'largest number of messages a second', wholeNumber(1))
    .option('--dry-run', 'count what would be moved, and move nothing')
    .option('-y, --yes', 'skip the confirmation')
    .action((options: DrainOptions) =>
      onCloud(operator, options, async (cloud, terminal) => {
        const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), options.task);
        const queue = await task.retainedQueue(options.queue);
        const note = `Note: this moves all messages of ${options.queue} to ${task.name}. Continue?`;
        const needsConfirmation = terminal.isInteractive && !options.yes && !options.dryRun;
        if (needsConfirmation && !(await terminal.confirm(note))) return terminal.fail();
        const isDry = options.dryRun ?? false;
        let counts: RedriveCounts | undefined;
        // The messages belonged to a task of another name or another rule.
        const work = redrive('any', queue, {
          codes: [],
          ratePerSecond: options.rate,
          isDry,
          now: Date.now,
          onProgress(now) {
            counts = now;
          },
        });
        const result = await terminal.during(
          () => `Draining to ${task.name}: ${counts ? line(counts) : 'reading'} …`,
          work,
        );
        if (total(result.failed) > 0 || result.mayHaveMore) terminal.fail();
        const value = { task: task.name, queue: options.queue, dryRun: isDry, ...result };
        printResult(terminal, options, value, () => summary(task.name, result, isDry));
      }),
    );
}

import type { Command } from 'commander';
import { type CloudTask, pickOne } from '../cloud/cloud.ts';
import { type RedriveCounts, type RedriveResult, redrive, total } from '../cloud/redrive.ts';
import { deadLetterCode } from './dlq.ts';
import { collect, type Operator, onCloud, operatorCommand, printResult, type Scope, wholeNumber } from './operator.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

interface RedriveCommandOptions extends Scope {
  readonly filter?: readonly string[];
  readonly rate?: number;
  readonly dryRun?: boolean;
  readonly all?: boolean;
  readonly native?: boolean;
  readonly yes?: boolean;
}

/** Largest rate of SQS's move task, in messages a second. */
const MAX_NATIVE_RATE = 500;

/** `outflow redrive`: sends dead letters to the buffer of their task again. */
export function redriveCommand(operator: Operator): Command {
  const command = operatorCommand('redrive', operator)
    .description(
      'Send dead letters to the buffer of their task again, with no attempts behind them; a second redrive is safe',
    )
    .argument('<task>', 'name of the task, or path of its construct')
    .option('--filter <code>', 'only dead letters of this code; repeatable', (text, before?: readonly string[]) =>
      collect(deadLetterCode(text), before),
    )
    .option('--all', 'dead letters of every code, without confirmation')
    .option('--rate <n>', 'largest number of messages a second', wholeNumber(1))
    .option('--dry-run', 'count what would be redriven, and redrive nothing')
    .option('-y, --yes', 'skip the confirmation');
  if (!operator.isInProcess)
    command.option(
      '--native',
      "move the whole queue with SQS's own move task, including the dead letters of other tasks",
    );
  return command.action((name: string, options: RedriveCommandOptions) =>
    onCloud(operator, options, async (cloud, terminal) => {
      refuseContradictions(options);
      const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), name);
      const needsConfirmation = terminal.isInteractive && !options.yes && !options.all && !options.dryRun;
      if (needsConfirmation && options.filter === undefined) {
        // Only the queue is counted: a redrive must not need the permissions of `outflow status`.
        const count = (await task.countDeadLetters()) ?? 0;
        const note = `Note: this redrives all ${count} dead letters, of every code, to ${task.name}. Continue?`;
        if (!(await terminal.confirm(note))) return terminal.fail();
      }
      if (options.native) return moveAll(task, options, terminal);
      let counts: RedriveCounts | undefined;
      const work = redrive(task, await task.deadLetterQueue(), {
        codes: options.filter ?? [],
        ratePerSecond: options.rate,
        isDry: options.dryRun ?? false,
        now: Date.now,
        onProgress(now) {
          counts = now;
        },
      });
      const result = await terminal.during(
        () => `Redriving ${task.name}: ${counts ? line(counts) : 'reading'} …`,
        work,
      );
      if (total(result.failed) > 0 || result.mayHaveMore) terminal.fail();
      const value = { task: task.name, dryRun: options.dryRun ?? false, ...result };
      printResult(terminal, options, value, () => summary(task.name, result, options.dryRun ?? false));
    }),
  );
}

function refuseContradictions({ filter, all, native, dryRun, rate }: RedriveCommandOptions): void {
  if (all && filter !== undefined) throw new Error(`--all and --filter ${filter.join(' ')}: expected one of them`);
  if (!native) return;
  if (filter !== undefined || dryRun)
    throw new Error("--native: SQS's move task moves the whole queue; expected no --filter and no --dry-run");
  if (rate !== undefined && rate > MAX_NATIVE_RATE)
    throw new Error(`--rate: got ${rate}; with --native expected 1 to ${MAX_NATIVE_RATE}`);
}

async function moveAll(task: CloudTask, options: RedriveCommandOptions, terminal: Terminal): Promise<void> {
  let moved = 0;
  const work = task.moveAll!(options.rate, (count) => {
    moved = count;
  });
  const result = await terminal.during(() => `SQS moves the dead letters of ${task.name}: ${moved} …`, work);
  printResult(
    terminal,
    options,
    { task: task.name, moved: result },
    () => `${result} dead letters moved to ${task.name}.`,
  );
}

/** Counts so far, as one line. */
export function line({ redriven, skipped, failed }: RedriveCounts): string {
  return `${total(redriven)} redriven, ${total(skipped)} left, ${total(failed)} failed`;
}

/** What a redrive has done with each message. */
export function summary(
  name: string,
  { redriven, skipped, returned, failed, mayHaveMore }: RedriveResult,
  isDry: boolean,
): string {
  const lines = [`${total(redriven)} messages ${isDry ? 'would be ' : ''}redriven to ${name}${codes(redriven)}.`];
  if (total(skipped) > 0) lines.push(`${total(skipped)} left in the queue${codes(skipped)}.`);
  if (total(returned) > 0)
    lines.push(`${total(returned)} dead-lettered during the redrive, and left${codes(returned)}.`);
  if (total(failed) > 0) lines.push(`${total(failed)} not redriven, and still in the queue${codes(failed)}.`);
  if (mayHaveMore)
    lines.push('There may be more: the queue returned only messages that were read already. Run the command again.');
  return lines.join('\n');
}

function codes(byCode: Readonly<Record<string, number>>): string {
  const each = Object.entries(byCode).map(([code, count]) => `${count} ${printable(code)}`);
  return each.length === 0 ? '' : `: ${each.join(', ')}`;
}

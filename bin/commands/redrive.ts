import type { Command } from 'commander';
import { type CloudTask, pickOne } from '../cloud/cloud.ts';
import { type RedriveCounts, type RedriveResult, redrive, total } from '../cloud/redrive.ts';
import { answer, collect, type Operator, onCloud, operatorCommand, type Where, whole } from './operator.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

interface RedriveCommandOptions extends Where {
  readonly filter?: readonly string[];
  readonly rate?: number;
  readonly dryRun?: boolean;
  readonly all?: boolean;
  readonly native?: boolean;
  readonly yes?: boolean;
}

/** Messages a second that SQS's move task takes at most. */
const NATIVE_RATE_AT_MOST = 500;

/** `outflow redrive`: puts dead letters back into the queue of their task. */
export function redriveCommand(operator: Operator): Command {
  const command = operatorCommand('redrive', operator)
    .description('Put dead letters back into the queue of their task, where they start afresh; doing it twice is safe')
    .argument('<task>', 'name of the task, or path of its construct')
    .option('--filter <code>', 'only letters of this code; may be given several times', collect)
    .option('--all', 'letters of every code, as without --filter, and do not ask')
    .option('--rate <n>', 'messages a second at most', whole(1))
    .option('--dry-run', 'count what would be put back, and put nothing back')
    .option('-y, --yes', 'do not ask');
  if (!operator.isHere)
    command.option('--native', "let SQS move the whole queue by its own move task, other tasks' letters included");
  return command.action((name: string, options: RedriveCommandOptions) =>
    onCloud(operator, options, async (cloud, terminal) => {
      refuseContradictions(options);
      const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), name);
      const isAsked = terminal.isInteractive && !options.yes && !options.all && !options.dryRun;
      if (isAsked && options.filter === undefined) {
        // Whoever may redrive need not be allowed all that the task's status asks for.
        const note = `Note: all ${(await task.countLetters()) ?? 0} dead letters, of every code, go back to ${task.name}. Put them back?`;
        if (!(await terminal.confirm(note))) return terminal.fail();
      }
      if (options.native) return moveAll(task, options, terminal);
      let counts: RedriveCounts | undefined;
      const work = redrive(task, await task.letters(), {
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
      answer(terminal, options, value, () => summary(task.name, result, options.dryRun ?? false));
    }),
  );
}

function refuseContradictions({ filter, all, native, dryRun, rate }: RedriveCommandOptions): void {
  if (all && filter !== undefined) throw new Error(`--all and --filter ${filter.join(' ')}: expected one of them`);
  if (!native) return;
  if (filter !== undefined || dryRun)
    throw new Error("--native: SQS's move task takes the whole queue; expected no --filter and no --dry-run");
  if (rate !== undefined && rate > NATIVE_RATE_AT_MOST)
    throw new Error(`--rate: got ${rate}; with --native expected 1 to ${NATIVE_RATE_AT_MOST}`);
}

async function moveAll(task: CloudTask, options: RedriveCommandOptions, terminal: Terminal): Promise<void> {
  let moved = 0;
  const work = task.moveAll!(options.rate, (count) => {
    moved = count;
  });
  const result = await terminal.during(() => `SQS moves the letters of ${task.name}: ${moved} …`, work);
  answer(terminal, options, { task: task.name, moved: result }, () => `${result} letters moved to ${task.name}.`);
}

function line({ redriven, skipped, failed }: RedriveCounts): string {
  return `${total(redriven)} put back, ${total(skipped)} left, ${total(failed)} failed`;
}

function summary(
  name: string,
  { redriven, skipped, returned, failed, mayHaveMore }: RedriveResult,
  isDry: boolean,
): string {
  const lines = [`${total(redriven)} letters ${isDry ? 'would go' : 'went'} back to ${name}${codes(redriven)}.`];
  if (total(skipped) > 0) lines.push(`${total(skipped)} were left${codes(skipped)}.`);
  if (total(returned) > 0) lines.push(`${total(returned)} came meanwhile, and were left${codes(returned)}.`);
  if (total(failed) > 0) lines.push(`${total(failed)} could not be put back, and are where they were${codes(failed)}.`);
  if (mayHaveMore) lines.push('There may be more: the queue went on giving those that were left. Ask again.');
  return lines.join('\n');
}

function codes(byCode: Readonly<Record<string, number>>): string {
  const each = Object.entries(byCode).map(([code, count]) => `${count} ${printable(code)}`);
  return each.length === 0 ? '' : `: ${each.join(', ')}`;
}

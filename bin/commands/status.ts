import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type MessageCounts, pick, type TaskReport } from '../cloud/cloud.ts';
import { colouredState } from './colour.ts';
import { type Operator, onCloud, operatorCommand, printResult, type Scope } from './operator.ts';
import { printable } from './printable.ts';
import { span, table, time } from './table.ts';

interface StatusOptions extends Scope {
  readonly watch?: boolean;
}

const REFRESH_MS = 2_000;

/** `outflow status`: shows the state of tasks. */
export function statusCommand(operator: Operator): Command {
  const command = operatorCommand('status', operator)
    .description(
      'Show the state of a task, or of each: cause, since when, backlog, dead letters; exits with 1 if one is stopped',
    )
    .argument('[task]', 'name of the task, or path of its construct (default: all)');
  command.option('--watch', `refresh every two seconds, until ${operator.isInProcess ? 'Enter' : 'Ctrl-C'}`);
  return command.action((name: string | undefined, options: StatusOptions) =>
    onCloud(operator, options, async (cloud, terminal) => {
      const read = async () => {
        const reports = await Promise.all(pick(await cloud.tasks(), name).map((task) => task.status()));
        return { reports, at: Date.now(), hasStopped: reports.some(isStopped) };
      };
      type Reading = Awaited<ReturnType<typeof read>>;
      const { columns, isColoured } = terminal;
      const show = ({ reports, at }: Reading, earlier?: Reading) =>
        printResult(terminal, options, reports, () => {
          const hasCounts = earlier?.reports.some(({ counts }) => counts !== undefined);
          const before = earlier && hasCounts ? { ...earlier, now: at } : undefined;
          return statusText(reports, { now: at, columns, isColoured, before });
        });
      const first = await terminal.during(() => 'Reading the tasks …', read());
      if (options.watch) terminal.clear();
      show(first);
      if (first.hasStopped) terminal.fail();
      const stop = operator.nextLine?.();
      let isOver = false;
      void stop?.then(() => {
        isOver = true;
      });
      let earlier = first;
      while (options.watch) {
        await Promise.race([sleep(REFRESH_MS), ...(stop === undefined ? [] : [stop])]);
        if (isOver) return;
        const next = await read();
        terminal.clear();
        show(next, earlier);
        earlier = next;
      }
    }),
  );
}

/** Whether a task waits for its operator or for its sink. */
export function isStopped({ status }: TaskReport): boolean {
  return status === 'Ready' || status === 'Start Failed';
}

export interface StatusTextOptions {
  readonly now: number;
  readonly columns: number;
  readonly isColoured?: boolean;
  /** An earlier reading with counts, from which rates are computed. */
  readonly before?: { readonly at: number; readonly now: number; readonly reports: readonly TaskReport[] } | undefined;
}

/** Messages a second since the earlier reading. */
function rate(
  before: NonNullable<StatusTextOptions['before']>,
  { task, stack, counts }: TaskReport,
  of: keyof MessageCounts,
): string {
  const earlier = before.reports.find((one) => one.task === task && one.stack === stack)?.counts;
  if (earlier === undefined || counts === undefined || before.now <= before.at) return '?';
  return ((1000 * (counts[of] - earlier[of])) / (before.now - before.at)).toFixed(1);
}

/** Reports as a table, with the reasons of stopped tasks below it. */
export function statusText(
  reports: readonly TaskReport[],
  { now, columns, isColoured = false, before }: StatusTextOptions,
): string {
  const hasCounts = reports.some(({ counts }) => counts !== undefined);
  const rows = reports.map((report) => [
    report.task,
    report.status ?? 'IoT Core delivers',
    report.since === undefined ? '' : span(Math.max(0, now - report.since) / 1000),
    ...(hasCounts ? [String(report.counts?.incoming ?? '?'), String(report.counts?.outgoing ?? '?')] : []),
    ...(before === undefined ? [] : [rate(before, report, 'incoming'), rate(before, report, 'outgoing')]),
    String(report.waiting ?? '?'),
    report.oldestSeconds === undefined ? '?' : span(report.oldestSeconds),
    String(report.inFlight),
    String(report.retrying),
    String(report.deadLetters ?? '?'),
    report.mappings.join(' '),
    report.stack,
  ]);
  const counted = hasCounts ? ['IN', 'OUT'] : [];
  const rates = before === undefined ? [] : ['IN/S', 'OUT/S'];
  const rest = ['WAITING', 'OLDEST', 'IN FLIGHT', 'RETRYING', 'DEAD', 'MAPPINGS', 'STACK'];
  const head = ['TASK', 'STATE', 'FOR', ...counted, ...rates, ...rest];
  const paint = (cell: string, column: number) => (column === 1 ? colouredState(cell, { isColoured }) : cell);
  return [table([head, ...rows], columns, paint), ...reports.flatMap(reasons)].join('\n');
}

function reasons({ task, description, cause, stoppedAt, intakeStopped }: TaskReport): string[] {
  const lines = [];
  if (description !== undefined) lines.push(`${task}: ${printable(description)}`);
  if (cause !== undefined) lines.push(`${task}: ${printable(cause)}`);
  if (stoppedAt !== undefined) lines.push(`${task}: stopped at ${time(stoppedAt)} UTC`);
  if (intakeStopped) lines.push(`${task}: its rules are disabled; messages published now are not kept`);
  return lines;
}

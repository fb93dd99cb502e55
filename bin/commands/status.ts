import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { pick, type TaskReport } from '../cloud/cloud.ts';
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
        const tasks = pick(await cloud.tasks(), name);
        const [readings, metrics] = await Promise.all([
          Promise.all(tasks.map((task) => task.status())),
          cloud.readMetrics?.(tasks),
        ]);
        const reports = readings.map((report, i): TaskReport => ({ ...report, ...metrics?.[i] }));
        return { reports, at: Date.now(), hasStopped: reports.some(isStopped) };
      };
      type Reading = Awaited<ReturnType<typeof read>>;
      const { columns, isColoured } = terminal;
      const show = ({ reports, at }: Reading, earlier?: Reading) =>
        printResult(terminal, options, reports, () => {
          const before = earlier && { ...earlier, now: at };
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
  /** An earlier reading, from whose counts the rates are computed of tasks whose reports have none. */
  readonly before?: { readonly at: number; readonly now: number; readonly reports: readonly TaskReport[] } | undefined;
}

/** Messages a second: those of the report, otherwise since the earlier reading. */
function ratesOf({ task, stack, counts, rates }: TaskReport, before: StatusTextOptions['before']) {
  if (rates !== undefined || counts === undefined || before === undefined || before.now <= before.at) return rates;
  const earlier = before.reports.find((one) => one.task === task && one.stack === stack)?.counts;
  const rate = (now: number | undefined, then: number | undefined) =>
    now === undefined || then === undefined ? undefined : (1_000 * (now - then)) / (before.now - before.at);
  return {
    incoming: rate(counts.incoming, earlier?.incoming),
    outgoing: rate(counts.outgoing, earlier?.outgoing),
  };
}

/** A cell of the table. */
function cell<Value>(value: Value | undefined, text: (value: Value) => string = String): string {
  return value === undefined ? '-' : text(value);
}

/** Reports as a table, with the reasons of stopped tasks below it. */
export function statusText(
  reports: readonly TaskReport[],
  { now, columns, isColoured = false, before }: StatusTextOptions,
): string {
  const rates = reports.map((report) => ratesOf(report, before));
  const hasCounts = reports.some(({ counts }) => counts !== undefined);
  const hasRates = rates.some((some) => some !== undefined);
  const perSecond = (value: number) => value.toFixed(1);
  const rows = reports.map((report, i) => [
    report.task,
    report.status ?? 'IoT Core delivers',
    report.since === undefined ? '' : span(Math.max(0, now - report.since) / 1000),
    ...(hasCounts ? [cell(report.counts?.incoming), cell(report.counts?.outgoing)] : []),
    ...(hasRates ? [cell(rates[i]?.incoming, perSecond), cell(rates[i]?.outgoing, perSecond)] : []),
    cell(report.waiting),
    cell(report.oldestSeconds, span),
    String(report.inFlight),
    String(report.retrying),
    cell(report.deadLetters),
    report.mappings.join(' '),
    report.stack,
  ]);
  const counted = hasCounts ? ['IN', 'OUT'] : [];
  const rated = hasRates ? ['IN/S', 'OUT/S'] : [];
  const rest = ['WAITING', 'OLDEST', 'IN FLIGHT', 'RETRYING', 'DEAD', 'MAPPINGS', 'STACK'];
  const head = ['TASK', 'STATE', 'FOR', ...counted, ...rated, ...rest];
  const paint = (text: string, column: number) => (column === 1 ? colouredState(text, { isColoured }) : text);
  return [table([head, ...rows], columns, paint), ...reports.flatMap(reasons), ...legend(reports)].join('\n');
}

/** What the numbers from CloudWatch mean. */
function legend(reports: readonly TaskReport[]): string[] {
  const seconds = reports.find(({ counts }) => counts?.seconds !== undefined)?.counts?.seconds;
  if (seconds === undefined) return [];
  const of = `IN and OUT: the last ${span(seconds)}; IN/S and OUT/S: five of the last minutes`;
  return [`${of}; -: CloudWatch has no value (yet)`];
}

function reasons({ task, description, cause, stoppedAt, intakeStopped }: TaskReport): string[] {
  const lines = [];
  if (description !== undefined) lines.push(`${task}: ${printable(description)}`);
  if (cause !== undefined) lines.push(`${task}: ${printable(cause)}`);
  if (stoppedAt !== undefined) lines.push(`${task}: stopped at ${time(stoppedAt)} UTC`);
  if (intakeStopped) lines.push(`${task}: its sources are stopped; AWS IoT Core does not keep messages published now`);
  return lines;
}

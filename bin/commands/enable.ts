import type { Command } from 'commander';
import { pickOne } from '../cloud/cloud.ts';
import { changeState, systemClock, waitsFor, within } from './change-state.ts';
import { type Operator, onCloud, operatorCommand, printResult, type Scope, wholeNumber } from './operator.ts';
import { printable } from './printable.ts';

interface EnableOptions extends Scope {
  readonly timeout: number;
  readonly test: boolean;
  readonly yes?: boolean;
}

/** `outflow enable`: starts a task and waits until it runs. */
export function enableCommand(operator: Operator): Command {
  return operatorCommand('enable', operator)
    .description(
      'Test the sink, start a task and wait until it is Running; exits with 1 and the cause if one of them fails',
    )
    .argument('<task>', 'name of the task, or path of its construct')
    .option(
      '--timeout <seconds>',
      'longest wait, for the test and the start; right after a stop, a start may take longer than a minute',
      wholeNumber(1, 3_600),
      60,
    )
    .option('--no-test', 'start the task without a connectivity test of its sink')
    .option('-y, --yes', 'skip the confirmation')
    .action((name: string, options: EnableOptions) =>
      onCloud(operator, options, async (cloud, terminal) => {
        const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), name);
        const before = await task.status();
        const waiting = (before.waiting ?? 0) + before.retrying;
        const note = `Note: ${task.name} is ${before.status}. It will deliver new messages and the ${waiting} that wait. Enable it?`;
        if (terminal.isInteractive && !options.yes && !(await terminal.confirm(note))) return terminal.fail();
        const { clock = systemClock } = operator;
        const until = clock.now() + options.timeout * 1_000;
        const leftMs = () => Math.max(0, until - clock.now());
        if (options.test) {
          const testing = within(task.testConnectivity(), leftMs(), clock);
          const answer = await terminal.during(() => `Testing the connection of ${task.name} …`, testing);
          const { ok, detail } = answer ?? {
            ok: false,
            detail: `the connectivity test has not ended within ${options.timeout} s (--timeout)`,
          };
          if (!ok) {
            terminal.fail();
            const result = { ...before, cause: detail };
            return printResult(terminal, options, result, () => {
              return `${task.name} stays ${before.status}: ${printable(detail)}. Mend the sink, or start the task with --no-test.`;
            });
          }
        }
        const startedAt = clock.now();
        const changing = { before, timeoutMs: leftMs(), terminal, clock };
        const { progress, report } = await changeState(task, { kind: 'enable' }, changing);
        if (progress !== 'reached') terminal.fail();
        const cause = progress === 'pending' ? waitsFor(report) : report.cause;
        printResult(terminal, options, { ...report, cause }, () => {
          const seconds = ((clock.now() - startedAt) / 1000).toFixed(1);
          if (progress === 'reached') return `${task.name} is Running after ${seconds} s.`;
          const why = cause === undefined ? '' : `: ${printable(cause)}`;
          const end =
            progress === 'failed' ? '' : ' The request stays in effect; `outflow status` shows when the task runs.';
          return `${task.name} is ${report.status} after ${seconds} s${why}.${end}`;
        });
      }),
    );
}

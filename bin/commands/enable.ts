import type { Command } from 'commander';
import { pickOne } from '../cloud/cloud.ts';
import { changeState } from './change-state.ts';
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
      'longest wait; a start takes 30 to 60 seconds, longer right after a stop',
      wholeNumber(1, 3_600),
      180,
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
        if (options.test) {
          const testing = task.testConnectivity();
          const { ok, detail } = await terminal.during(() => `Testing the connection of ${task.name} …`, testing);
          if (!ok) {
            terminal.fail();
            const result = { ...before, cause: detail };
            return printResult(terminal, options, result, () => {
              return `${task.name} stays ${before.status}: ${printable(detail)}. Mend the sink, or start the task with --no-test.`;
            });
          }
        }
        const { progress, report, elapsedMs } = await changeState(
          task,
          { kind: 'enable' },
          { before, timeoutMs: options.timeout * 1000, terminal, clock: operator.clock },
        );
        if (progress !== 'reached') terminal.fail();
        printResult(terminal, options, report, () => {
          const seconds = (elapsedMs / 1000).toFixed(1);
          if (progress === 'reached') return `${task.name} is Running after ${seconds} s.`;
          const cause = report.cause === undefined ? '' : `: ${printable(report.cause)}`;
          const end =
            progress === 'failed' ? '' : ' The request stays in effect; `outflow status` shows when the task runs.';
          return `${task.name} is ${report.status} after ${seconds} s${cause}.${end}`;
        });
      }),
    );
}

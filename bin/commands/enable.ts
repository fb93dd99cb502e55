import type { Command } from 'commander';
import { pickOne } from '../cloud/cloud.ts';
import { answer, type Operator, onCloud, operatorCommand, type Where, whole } from './operator.ts';
import { printable } from './printable.ts';
import { reach } from './reach.ts';

interface EnableOptions extends Where {
  readonly timeout: number;
  readonly yes?: boolean;
}

/** `outflow enable`: starts a task and waits until it runs (rows D19, D20, D23). */
export function enableCommand(operator: Operator): Command {
  return operatorCommand('enable', operator)
    .description('Start a task, and wait until it is Running; exits with 1 and the cause when it cannot')
    .argument('<task>', 'name of the task, or path of its construct')
    .option(
      '--timeout <seconds>',
      'wait no longer than that; a start takes 30 to 60 seconds, more right after a stop',
      whole(1, 3_600),
      180,
    )
    .option('-y, --yes', 'do not ask')
    .action((name: string, options: EnableOptions) =>
      onCloud(operator, options, async (cloud, terminal) => {
        const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), name);
        const before = await task.status();
        const held = (before.waiting ?? 0) + before.retrying;
        const note = `Note: ${task.name} is ${before.status}, and will deliver what comes and the ${held} messages that wait. Enable it?`;
        if (terminal.isInteractive && !options.yes && !(await terminal.confirm(note))) return terminal.fail();
        const { verdict, report, elapsedMs } = await reach(
          task,
          { kind: 'enable' },
          { before, timeoutMs: options.timeout * 1000, terminal },
        );
        if (verdict !== 'reached') terminal.fail();
        answer(terminal, options, report, () => {
          const seconds = (elapsedMs / 1000).toFixed(1);
          if (verdict === 'reached') return `${task.name} is Running, after ${seconds} s.`;
          const cause = report.cause === undefined ? '' : `: ${printable(report.cause)}`;
          const end = verdict === 'failed' ? '' : ' It is still asked to run; `outflow status` shows when it does.';
          return `${task.name} is ${report.status} after ${seconds} s${cause}.${end}`;
        });
      }),
    );
}

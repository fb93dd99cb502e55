import type { Command } from 'commander';
import { pickOne } from '../cloud/cloud.ts';
import { changeState, waitsFor } from './change-state.ts';
import { type Operator, onCloud, operatorCommand, printResult, type Scope, wholeNumber } from './operator.ts';
import { printable } from './printable.ts';

interface SkipOptions extends Scope {
  readonly timeout: number;
  readonly yes?: boolean;
}

/** `outflow skip`: dead-letters the message that blocks a task, and starts the task again. */
export function skipCommand(operator: Operator): Command {
  return operatorCommand('skip', operator)
    .description('Move the message that blocks a task to the dead-letter queue, and start the task again')
    .argument('<task>', 'name of the task, or path of its construct')
    .option('--timeout <seconds>', 'longest wait for the start', wholeNumber(1, 3_600), 60)
    .option('-y, --yes', 'skip the confirmation')
    .action((name: string, options: SkipOptions) =>
      onCloud(operator, options, async (cloud, terminal) => {
        const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), name);
        const before = await task.status();
        const { status, cause = 'no cause given', blocker } = before;
        if (blocker === undefined)
          throw new Error(
            `${task.name} is ${status ?? 'without a worker'}; expected Ready: only a message that blocks a task can be skipped`,
          );
        const note = `Note: message ${printable(blocker)} blocks ${task.name}: ${printable(cause)}. Move it to the dead-letter queue?`;
        if (terminal.isInteractive && !options.yes && !(await terminal.confirm(note))) return terminal.fail();
        const { progress, report, elapsedMs } = await changeState(
          task,
          { kind: 'skip', message: blocker },
          { before, timeoutMs: options.timeout * 1000, terminal, clock: operator.clock },
        );
        if (progress !== 'reached') terminal.fail();
        printResult(terminal, options, { ...report, skipped: blocker }, () => {
          const next = `Message ${printable(blocker)} goes to the dead-letter queue when the task meets it again, within a minute.`;
          if (progress === 'reached') return `${task.name} is Running. ${next}`;
          const seconds = (elapsedMs / 1000).toFixed(1);
          const cause = progress === 'pending' ? waitsFor(report) : report.cause;
          const why = cause === undefined ? '' : `: ${printable(cause)}`;
          return `${task.name} is ${report.status} after ${seconds} s${why}. ${next}`;
        });
      }),
    );
}

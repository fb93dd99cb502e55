import type { Command } from 'commander';
import { pickOne, type TaskReport } from '../cloud/cloud.ts';
import { answer, type Operator, onCloud, operatorCommand, type Where, whole } from './operator.ts';
import { reach } from './reach.ts';
import { span } from './table.ts';

interface PauseOptions extends Where {
  readonly stopIntake?: boolean;
  readonly timeout: number;
  readonly yes?: boolean;
}

/** `outflow pause`: stops a task; its queue goes on filling unless the rules are to stop too (row D23). */
export function pauseCommand(operator: Operator): Command {
  return operatorCommand('pause', operator)
    .description('Stop a task; messages wait in its queue meanwhile')
    .argument('<task>', 'name of the task, or path of its construct')
    .option('--stop-intake', 'stop its rules as well: what is published meanwhile is lost to it')
    .option('--timeout <seconds>', 'wait no longer than that', whole(1, 3_600), 180)
    .option('-y, --yes', 'do not ask')
    .action((name: string, options: PauseOptions) =>
      onCloud(operator, options, async (cloud, terminal) => {
        const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), name);
        const before = await task.status();
        const meanwhile = consequence(before, options.stopIntake ?? false);
        const note = `Note: ${task.name} will stop delivering. ${meanwhile} Pause it?`;
        if (terminal.isInteractive && !options.yes && !(await terminal.confirm(note))) return terminal.fail();
        const { verdict, report, elapsedMs } = await reach(
          task,
          { kind: 'pause', stopIntake: options.stopIntake ?? false },
          { before, timeoutMs: options.timeout * 1000, terminal },
        );
        if (verdict !== 'reached') terminal.fail();
        answer(terminal, options, report, () =>
          verdict === 'reached'
            ? `${task.name} is Paused. ${meanwhile}`
            : `${task.name} is ${report.status} after ${(elapsedMs / 1000).toFixed(1)} s, its mappings ${report.mappings.join(' ')}. It is still asked to pause.`,
        );
      }),
    );
}

function consequence({ retentionSeconds }: TaskReport, stopIntake: boolean): string {
  if (stopIntake) return 'Its rules stop: what is published meanwhile is not kept.';
  const kept = retentionSeconds === undefined ? '' : ` and are kept ${span(retentionSeconds)}`;
  return `Messages go on into its queue${kept}.`;
}

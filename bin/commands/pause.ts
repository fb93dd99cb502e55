import type { Command } from 'commander';
import { pickOne, type TaskReport } from '../cloud/cloud.ts';
import { changeState } from './change-state.ts';
import { type Operator, onCloud, operatorCommand, printResult, type Scope, wholeNumber } from './operator.ts';
import { span } from './table.ts';

interface PauseOptions extends Scope {
  readonly stopIntake?: boolean;
  readonly timeout: number;
  readonly yes?: boolean;
}

/** `outflow pause`: stops a task. Its sources go on filling the queue, unless they are stopped too. */
export function pauseCommand(operator: Operator): Command {
  return operatorCommand('pause', operator)
    .description('Stop a task; new messages wait in its queue')
    .argument('<task>', 'name of the task, or path of its construct')
    .option('--stop-intake', 'stop the sources too: AWS IoT Core does not keep messages that are published meanwhile')
    .option('--timeout <seconds>', 'longest wait', wholeNumber(1, 3_600), 180)
    .option('-y, --yes', 'skip the confirmation')
    .action((name: string, options: PauseOptions) =>
      onCloud(operator, options, async (cloud, terminal) => {
        const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), name);
        const before = await task.status();
        const meanwhile = consequence(before, options.stopIntake ?? false);
        const note = `Note: ${task.name} will stop delivering. ${meanwhile} Pause it?`;
        if (terminal.isInteractive && !options.yes && !(await terminal.confirm(note))) return terminal.fail();
        const { progress, report, elapsedMs } = await changeState(
          task,
          { kind: 'pause', stopIntake: options.stopIntake ?? false },
          { before, timeoutMs: options.timeout * 1000, terminal, clock: operator.clock },
        );
        if (progress !== 'reached') terminal.fail();
        printResult(terminal, options, report, () =>
          progress === 'reached'
            ? `${task.name} is Paused. ${meanwhile}`
            : `${task.name} is ${report.status} after ${(elapsedMs / 1000).toFixed(1)} s, mappings ${report.mappings.join(' ')}. The request stays in effect.`,
        );
      }),
    );
}

function consequence({ retentionSeconds }: TaskReport, stopIntake: boolean): string {
  if (stopIntake)
    return 'Its sources are stopped: AWS IoT Core does not keep messages that are published meanwhile; another MQTT broker keeps them for an MqttSource.';
  const kept = retentionSeconds === undefined ? '' : ` and are kept for ${span(retentionSeconds)}`;
  return `Messages go on into its queue${kept}.`;
}

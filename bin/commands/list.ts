import type { Command } from 'commander';
import { answer, type Operator, onCloud, operatorCommand, type Where } from './operator.ts';
import { table } from './table.ts';

/** `outflow list`: the tasks that are there. */
export function listCommand(operator: Operator): Command {
  return operatorCommand('list', operator)
    .description('List the tasks: name, stack, sink, topic filters')
    .action((where: Where) =>
      onCloud(operator, where, async (cloud, terminal) => {
        const tasks = await terminal.during(() => 'Reading the stacks …', cloud.tasks());
        const rows = tasks.map(({ name, stack, path, sink, filters }) => ({ task: name, stack, path, sink, filters }));
        answer(terminal, where, rows, () => {
          const body = rows.map(({ task, stack, sink, filters }) => [task, stack, sink, filters.join(', ')]);
          return table([['TASK', 'STACK', 'SINK', 'FROM'], ...body], terminal.columns);
        });
      }),
    );
}

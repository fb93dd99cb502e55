import type { Command } from 'commander';
import { type Operator, onCloud, operatorCommand, printResult, type Scope } from './operator.ts';
import { table } from './table.ts';

/** `outflow list`: lists the tasks. */
export function listCommand(operator: Operator): Command {
  return operatorCommand('list', operator)
    .description('List the tasks: name, stack, sink, topic filters')
    .action((scope: Scope) =>
      onCloud(operator, scope, async (cloud, terminal) => {
        const tasks = await terminal.during(() => 'Reading the stacks …', cloud.tasks());
        const rows = tasks.map(({ name, stack, path, sink, filters }) => ({ task: name, stack, path, sink, filters }));
        printResult(terminal, scope, rows, () => {
          const body = rows.map(({ task, stack, sink, filters }) => [task, stack, sink, filters.join(', ')]);
          return table([['TASK', 'STACK', 'SINK', 'FROM'], ...body], terminal.columns);
        });
      }),
    );
}

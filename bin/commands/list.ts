import type { Command } from 'commander';
import type { CloudTask, RetainedQueue } from '../cloud/cloud.ts';
import { type Operator, onCloud, operatorCommand, printResult, type Scope } from './operator.ts';
import { printable } from './printable.ts';
import { table } from './table.ts';

/** `outflow list`: lists the tasks, and the queues that tasks have left behind. */
export function listCommand(operator: Operator): Command {
  return operatorCommand('list', operator)
    .description('List the tasks: name, stack, sink, topic filters; and the retained queues that no task uses')
    .action((scope: Scope) =>
      onCloud(operator, scope, async (cloud, terminal) => {
        const reading = Promise.all([cloud.tasks(), readQueues()]);
        const [tasks, queues] = await terminal.during(() => 'Reading the stacks …', reading);
        const entries = tasks.map(({ name, stack, path, sink, filters }) => ({
          task: name,
          stack,
          path,
          sink,
          filters,
        }));
        const retained = queues.map(({ queueUrl, ...rest }) => ({ retainedQueue: queueUrl, ...rest }));
        printResult(terminal, scope, [...entries, ...retained], () => listText(tasks, queues, terminal.columns));

        async function readQueues(): Promise<readonly RetainedQueue[]> {
          try {
            return await cloud.retainedQueues();
          } catch (error) {
            // The tasks can be listed without the permissions to list queues.
            terminal.note(`retained queues not listed: ${printable((error as Error).message)}`);
            return [];
          }
        }
      }),
    );
}

function listText(tasks: readonly CloudTask[], queues: readonly RetainedQueue[], columns: number): string {
  const rows = tasks.map(({ name, stack, sink, filters }) => [name, stack, sink, filters.join(', ')]);
  const lines = [table([['TASK', 'STACK', 'SINK', 'FROM'], ...rows], columns)];
  if (queues.length > 0) lines.push('', 'Retained queues that no task uses. Move their messages with `outflow drain`:');
  for (const { queueUrl, stack, task, messages } of queues)
    lines.push(`  ${printable(queueUrl)}  of ${printable(task)} in ${stack}, ${messages} messages`);
  return lines.join('\n');
}

import type { Command } from 'commander';
import { type CloudTask, pick } from '../cloud/cloud.ts';
import { colouredState } from './colour.ts';
import { type Operator, onCloud, operatorCommand, printResult, type Scope } from './operator.ts';
import { table } from './table.ts';

/** `outflow test-connectivity`: tests whether the workers can reach and use their sinks. */
export function testConnectivityCommand(operator: Operator): Command {
  return operatorCommand('test-connectivity', operator)
    .description("Test whether a task's function, or each, can reach and use its sink; exits with 1 if one cannot")
    .argument('[task]', 'name of the task, or path of its construct (default: all that have a worker)')
    .action((name: string | undefined, scope: Scope) =>
      onCloud(operator, scope, async (cloud, terminal) => {
        const testing = async () => Promise.all(tasksToTest(await cloud.tasks(), name).map(test));
        const results = await terminal.during(() => 'Testing the connections …', testing());
        if (results.some(({ ok }) => !ok)) terminal.fail();
        printResult(terminal, scope, results, () =>
          table(
            results.map(({ task, ok, detail }) => [task, ok ? 'ok' : 'FAILED', detail]),
            terminal.columns,
            (cell, column) => (column === 1 ? colouredState(cell, terminal) : cell),
          ),
        );
      }),
    );
}

// A task without a worker cannot be tested. It is left out, unless it is named: then it reports the error.
function tasksToTest(tasks: readonly CloudTask[], name: string | undefined): readonly CloudTask[] {
  return pick(tasks, name).filter(({ hasWorker }) => hasWorker || name !== undefined);
}

async function test(task: CloudTask): Promise<{ task: string; ok: boolean; detail: string }> {
  try {
    return { task: task.name, ...(await task.testConnectivity()) };
  } catch (error) {
    return { task: task.name, ok: false, detail: (error as Error).message };
  }
}

import type { Command } from 'commander';
import { type CloudTask, pick } from '../cloud/cloud.ts';
import { answer, type Operator, onCloud, operatorCommand, type Where } from './operator.ts';
import { table } from './table.ts';

/** `outflow test-connectivity`: whether sinks can be reached and used from where the workers run. */
export function testConnectivityCommand(operator: Operator): Command {
  return operatorCommand('test-connectivity', operator)
    .description(
      "Ask a task's function, or each, whether its sink can be reached and used; exits with 1 when one cannot",
    )
    .argument('[task]', 'name of the task, or path of its construct (default: all that have a worker)')
    .action((name: string | undefined, where: Where) =>
      onCloud(operator, where, async (cloud, terminal) => {
        const asking = async () => Promise.all(asked(await cloud.tasks(), name).map(ask));
        const results = await terminal.during(() => 'Asking the functions …', asking());
        if (results.some(({ ok }) => !ok)) terminal.fail();
        answer(terminal, where, results, () =>
          table(
            results.map(({ task, ok, detail }) => [task, ok ? 'ok' : 'FAILED', detail]),
            Number.POSITIVE_INFINITY,
          ),
        );
      }),
    );
}

// One without a worker has nothing to ask; named, it says so.
function asked(tasks: readonly CloudTask[], name: string | undefined): readonly CloudTask[] {
  return pick(tasks, name).filter(({ hasWorker }) => hasWorker || name !== undefined);
}

async function ask(task: CloudTask): Promise<{ task: string; ok: boolean; detail: string }> {
  try {
    return { task: task.name, ...(await task.testConnectivity()) };
  } catch (error) {
    return { task: task.name, ok: false, detail: (error as Error).message };
  }
}

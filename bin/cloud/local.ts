import { MAX_ENTRIES } from '../../lambdas/buffer/sqs/batches.ts';
import type { ControlMessage } from '../../lambdas/core/control-message.ts';
import type { Stack } from '../../localstack/one-process/assembly.ts';
import type { LocalControl } from '../../localstack/one-process/control.ts';
import { queueApi } from '../../localstack/one-process/queue/api.ts';
import type { Queue } from '../../localstack/one-process/queue/queue.ts';
import { identity } from '../../localstack/one-process/resolve.ts';
import type { Run } from '../../localstack/one-process/run.ts';
import type { RunningTask } from '../../localstack/one-process/task.ts';
import { type Cloud, type CloudTask, held, type QueueReport, reportOf } from './cloud.ts';
import { LENT_SECONDS, type LentLetter, letterQueue } from './letter-queue.ts';
import { intoQueue, intoStream, nowhere } from './put-back.ts';

/**
 * The tasks of a run, in this process.
 *
 * @param stacks Those that it runs.
 * @param onNote Hears what could not be done; nothing is lost by it.
 */
export function localCloud(
  { tasks, kinesis }: Pick<Run, 'tasks' | 'kinesis'>,
  stacks: readonly Stack[],
  onNote: (note: string) => void,
): Cloud {
  const declared = stacks.flatMap((stack) => stack.tasks.map((metadata) => ({ stack, metadata })));
  const found = tasks.map((task, i): CloudTask => {
    const { stack, metadata } = declared[i]!;
    const { queue, retryQueue, deadLetterQueue, mappings } = task;
    return {
      name: task.name,
      stack: stack.name,
      path: metadata.path,
      sink: metadata.sink,
      hasWorker: task.control !== undefined,
      filters: task.filters,
      rules: metadata.rules.map((id) => identity(stack.name, id, stack.template.Resources?.[id]).name),
      async status() {
        const readings = {
          task: task.name,
          stack: stack.name,
          state: task.control?.state,
          mappings: mappings.map(({ state }) => state),
          queue: queue && reportOfQueue(queue),
          retryQueue: retryQueue && reportOfQueue(retryQueue),
          deadLetterQueue: deadLetterQueue && reportOfQueue(deadLetterQueue),
        };
        return reportOf(readings, Date.now());
      },
      async ask(wish) {
        const message: ControlMessage = { ...wish, task: task.name };
        await controlOf(task).send(message);
      },
      testConnectivity: async () => controlOf(task).testConnectivity(),
      countLetters: async () => deadLetterQueue && held(reportOfQueue(deadLetterQueue)),
      async letters() {
        if (deadLetterQueue === undefined) throw new Error(`${task.name}: its dead-letter queue does not run here`);
        const queues = new Map([deadLetterQueue, ...(queue === undefined ? [] : [queue])].map((one) => [one.url, one]));
        const api = queueApi(queues, async (url) => {
          throw new Error(`no queue ${url}`);
        });
        return letterQueue({
          api,
          receive: async () => lend(deadLetterQueue),
          deadLetterQueueUrl: deadLetterQueue.url,
          putBack:
            queue !== undefined
              ? intoQueue(api, queue.url, onNote)
              : task.stream !== undefined
                ? intoStream(kinesis.client, task.stream, onNote)
                : nowhere,
          onNote,
        });
      },
    };
  });
  return { tasks: async () => found, close() {} };
}

function controlOf({ name, control }: RunningTask): LocalControl {
  if (control === undefined)
    throw new Error(`${name} has no worker: IoT Core delivers by itself, and there is nothing to ask`);
  return control;
}

function reportOfQueue(queue: Queue): QueueReport {
  const { retentionSeconds } = queue;
  return { ...queue.counts, retentionSeconds, oldestSeconds: queue.oldestAgeSeconds() };
}

function lend(queue: Queue): LentLetter[] {
  return queue.receive(MAX_ENTRIES).map(({ messageId, receiptHandle, body, attributes = {}, sentAt }) => {
    queue.changeVisibility(receiptHandle, LENT_SECONDS);
    return {
      messageId,
      receiptHandle,
      body,
      sentAt,
      attributes: Object.fromEntries(
        Object.entries(attributes).map(([name, { dataType, stringValue }]) => [
          name,
          { DataType: dataType, StringValue: stringValue },
        ]),
      ),
    };
  });
}

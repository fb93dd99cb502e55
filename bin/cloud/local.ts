import { MAX_ENTRIES } from '../../lambdas/buffer/sqs/batches.ts';
import type { ControlMessage } from '../../lambdas/core/control-message.ts';
import type { Stack } from '../../localstack/one-process/assembly.ts';
import type { LocalControl } from '../../localstack/one-process/control.ts';
import { queueApi } from '../../localstack/one-process/queue/api.ts';
import type { Queue } from '../../localstack/one-process/queue/queue.ts';
import { identity } from '../../localstack/one-process/resolve.ts';
import type { Run } from '../../localstack/one-process/run.ts';
import type { RunningTask } from '../../localstack/one-process/task.ts';
import {
  type Cloud,
  type CloudTask,
  messagesIn,
  type QueueReport,
  recordsOf,
  reportOf,
  streamToRead,
} from './cloud.ts';
import { openDeadLetterQueue, type ReceivedDeadLetter, VISIBILITY_SECONDS } from './dead-letter-queue.ts';
import { noTarget, queueTarget, streamTarget } from './redrive-target.ts';
import { READ_BY_WORKER, readStream } from './stream-records.ts';

/**
 * The tasks of a run in this process.
 *
 * @param stacks The stacks of the run.
 * @param onNote Called with each failure. No message is lost by it.
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
          description: metadata.description,
          counts: { incoming: task.counters.incoming, outgoing: task.counters.outgoing },
          state: task.control?.state,
          mappings: mappings.map(({ state }) => state),
          queue: queue && reportOfQueue(queue),
          retryQueue: retryQueue && reportOfQueue(retryQueue),
          deadLetterQueue: deadLetterQueue && reportOfQueue(deadLetterQueue),
        };
        return reportOf(readings, Date.now());
      },
      async request(request) {
        const message: ControlMessage = { ...request, task: task.name };
        await controlOf(task).send(message);
      },
      testConnectivity: async () => controlOf(task).testConnectivity(),
      async arrived(options, target) {
        if (READ_BY_WORKER.includes(metadata.sink)) {
          const { consumerGroup, waitMs, since, limit } = options;
          const request = {
            since,
            limit,
            ...(waitMs && { waitMs }),
            ...(consumerGroup && { consumerGroup }),
            ...(target && { target }),
          };
          return recordsOf(task.name, await controlOf(task).read(request), onNote);
        }
        return readStream(kinesis.client, streamToRead(task.name, metadata.sink, target, task.targetArn), options);
      },
      countDeadLetters: async () => deadLetterQueue && messagesIn(reportOfQueue(deadLetterQueue)),
      async deadLetterQueue() {
        if (deadLetterQueue === undefined)
          throw new Error(`${task.name}: its dead-letter queue is not part of this process`);
        const queues = new Map([deadLetterQueue, ...(queue === undefined ? [] : [queue])].map((one) => [one.url, one]));
        const api = queueApi(queues, async (url) => {
          throw new Error(`no queue ${url}`);
        });
        return openDeadLetterQueue({
          api,
          receive: async () => receive(deadLetterQueue),
          deadLetterQueueUrl: deadLetterQueue.url,
          target:
            queue !== undefined
              ? queueTarget(api, queue.url, onNote)
              : task.stream !== undefined
                ? streamTarget(kinesis.client, task.stream, onNote)
                : noTarget,
          onNote,
        });
      },
      async retainedQueue(queueUrl) {
        throw new Error(`--queue: got ${queueUrl}; expected no queue: those of this process end with it`);
      },
    };
  });
  return { tasks: async () => found, retainedQueues: async () => [], close() {} };
}

function controlOf({ name, control }: RunningTask): LocalControl {
  if (control === undefined) throw new Error(`${name} has no worker: with NoBuffer, IoT Core delivers by itself`);
  return control;
}

function reportOfQueue(queue: Queue): QueueReport {
  const { retentionSeconds } = queue;
  return { ...queue.counts, retentionSeconds, oldestSeconds: queue.oldestAgeSeconds() };
}

function receive(queue: Queue): ReceivedDeadLetter[] {
  return queue.receive(MAX_ENTRIES).map(({ messageId, receiptHandle, body, attributes = {}, sentAt }) => {
    queue.changeVisibility(receiptHandle, VISIBILITY_SECONDS);
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

import { ListQueueTagsCommand, paginateListQueues, type SQSClient } from '@aws-sdk/client-sqs';
import { reportOfQueue } from './aws-queues.ts';
import { messagesIn, type RetainedQueue } from './cloud.ts';
import type { DeployedStack } from './deployed.ts';

/** Tag of a task's resources; a retained queue keeps it. */
const TASK_TAG = 'outflow:task';

/**
 * Finds the queues that a stack has kept without using them. CloudFormation names a queue `<stack>-<logical id>-<random>`, and the
 * last two have no hyphen.
 */
export async function retainedQueuesOf(
  { name, physicalIds }: Pick<DeployedStack, 'name' | 'physicalIds'>,
  sqs: SQSClient,
): Promise<RetainedQueue[]> {
  const found: RetainedQueue[] = [];
  const used = new Set([...physicalIds].map(queueName));
  for await (const { QueueUrls = [] } of paginateListQueues(
    { client: sqs, pageSize: 1_000 },
    { QueueNamePrefix: `${name}-` },
  ))
    for (const queueUrl of QueueUrls) {
      const rest = queueName(queueUrl).slice(`${name}-`.length);
      if (used.has(queueName(queueUrl)) || !/^[A-Za-z0-9]+-[A-Za-z0-9]+$/.test(rest)) continue;
      const { Tags } = await sqs.send(new ListQueueTagsCommand({ QueueUrl: queueUrl }));
      const task = Tags?.[TASK_TAG];
      if (task !== undefined)
        found.push({ queueUrl, stack: name, task, messages: messagesIn(await reportOfQueue(sqs, queueUrl)) });
    }
  return found;
}

/** The name of a queue by its URL. An emulator has several URLs for a queue, and a region one queue of a name. */
export function queueName(queueUrl: string): string {
  return queueUrl.slice(queueUrl.lastIndexOf('/') + 1);
}

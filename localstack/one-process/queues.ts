import type { Resource, Stack } from './assembly.ts';
import { Queue } from './queue/queue.ts';
import { identity, type Resolve, resolver } from './resolve.ts';

/** The queues of an assembly, by URL. */
export type Queues = ReadonlyMap<string, Queue>;

interface Declared {
  readonly resource: Resource;
  readonly resolve: Resolve;
  readonly name: string;
  readonly url: string;
  readonly arn: string;
}

/** Makes the queues that the templates declare, with their visibility, delay, retention and redrive. */
export function createQueues(stacks: readonly Stack[]): Queues {
  const declared = stacks.flatMap((stack) => {
    const resolve = resolver(stack, stacks);
    return (
      Object.entries(stack.template.Resources ?? {})
        // A FIFO queue is the control function's; what is sent there is carried out at once.
        .filter(([, { Type, Properties }]) => Type === 'AWS::SQS::Queue' && Properties?.['FifoQueue'] !== true)
        .map(([logicalId, resource]): Declared => {
          const { name, ref: url, arn } = identity(stack.name, logicalId, resource);
          return { resource, resolve, name, url, arn };
        })
    );
  });
  const made = new Map<string, Queue>();

  function make({ resource, resolve, name, url, arn }: Declared): Queue {
    const already = made.get(url);
    if (already !== undefined) return already;
    const properties = (resolve(resource.Properties ?? {}) ?? {}) as QueueProperties;
    const redrive = properties.RedrivePolicy;
    const deadLetter = redrive && declared.find((other) => other.arn === redrive.deadLetterTargetArn);
    const queue = new Queue({
      name,
      arn,
      url,
      visibilityTimeoutSeconds: properties.VisibilityTimeout ?? 30,
      delaySeconds: properties.DelaySeconds ?? 0,
      retentionSeconds: properties.MessageRetentionPeriod ?? 345_600,
      ...(deadLetter && {
        redrive: { deadLetterQueue: make(deadLetter), maxReceiveCount: Number(redrive.maxReceiveCount) },
      }),
    });
    made.set(url, queue);
    return queue;
  }

  for (const queue of declared) make(queue);
  return made;
}

interface QueueProperties {
  readonly VisibilityTimeout?: number;
  readonly DelaySeconds?: number;
  readonly MessageRetentionPeriod?: number;
  readonly RedrivePolicy?: { readonly deadLetterTargetArn: string; readonly maxReceiveCount: number | string };
}

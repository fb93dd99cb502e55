import * as z from 'zod';
import type { Stack } from './assembly.ts';
import { type EmulatedType, readProperties } from './properties.ts';
import { Queue } from './queue/queue.ts';
import { identity, queueArn, queueUrl, resolver } from './resolve.ts';

/** The standard queues of an assembly, and those outside of it that it names. A queue is created when it is first looked up. */
export interface Queues {
  /** @returns undefined for a queue that the assembly does not declare, and for a FIFO queue */
  get(url: string): Queue | undefined;
  /** As `get`; a queue outside of the assembly is created. @returns undefined for a text that is not the URL of a queue */
  getOrCreate(url: string): Queue | undefined;
  ofArn(arn: string): Queue;
}

// AWS::SQS::Queue, with the defaults of SQS.
const QUEUE = {
  schema: z.strictObject({
    QueueName: z.string().optional(),
    FifoQueue: z.literal(false).optional(),
    VisibilityTimeout: z.int().default(30),
    DelaySeconds: z.int().default(0),
    MessageRetentionPeriod: z.int().default(345_600),
    RedrivePolicy: z.strictObject({ deadLetterTargetArn: z.string(), maxReceiveCount: z.coerce.number() }).optional(),
  }),
  ignored: [
    'KmsMasterKeyId',
    'KmsDataKeyReusePeriodSeconds',
    'SqsManagedSseEnabled',
    'Tags',
    // A mapping is notified of new messages; it does not poll.
    'ReceiveMessageWaitTimeSeconds',
    'RedriveAllowPolicy',
  ],
} satisfies EmulatedType<z.ZodObject>;

/**
 * Finds the standard queues of the templates, with their visibility timeout, delay, retention and redrive policy.
 *
 * Looking up a queue throws InvalidOptionError when it has an option that one process does not emulate.
 */
export function declaredQueues(stacks: readonly Stack[]): Queues {
  const created = new Map<string, Queue>();
  const declared = stacks.flatMap((stack) => {
    const resolve = resolver(stack, stacks);
    return (
      Object.entries(stack.template.Resources ?? {})
        // FIFO queues belong to the control function. One process carries out control messages without a queue.
        .filter(([, { Type, Properties }]) => Type === 'AWS::SQS::Queue' && Properties?.['FifoQueue'] !== true)
        .map(([logicalId, resource]) => {
          const { name, ref: url, arn } = identity(stack.name, logicalId, resource);
          return {
            url,
            arn,
            create() {
              const properties = readProperties(`${stack.name}.${logicalId}`, resource, resolve, QUEUE);
              const { RedrivePolicy: redrive } = properties;
              const deadLetterQueue = redrive && ofArn(redrive.deadLetterTargetArn);
              return new Queue({
                name,
                arn,
                url,
                visibilityTimeoutSeconds: properties.VisibilityTimeout,
                delaySeconds: properties.DelaySeconds,
                retentionSeconds: properties.MessageRetentionPeriod,
                redrive: deadLetterQueue && { deadLetterQueue, maxReceiveCount: redrive.maxReceiveCount },
              });
            },
          };
        })
    );
  });

  function get(url: string): Queue | undefined {
    const queue = created.get(url) ?? declared.find((one) => one.url === url)?.create();
    if (queue !== undefined) created.set(url, queue);
    return queue;
  }
  function getOrCreate(url: string): Queue | undefined {
    const queue = get(url) ?? outside(url);
    if (queue !== undefined) created.set(url, queue);
    return queue;
  }
  function ofArn(arn: string): Queue {
    const one = declared.find((one) => one.arn === arn);
    return getOrCreate(one?.url ?? queueUrl(arn.slice(arn.lastIndexOf(':') + 1)))!;
  }
  function outside(url: string): Queue | undefined {
    const [, name] = /^https:\/\/sqs\.[^/]+\/\d+\/([^/]+)$/.exec(url) ?? [];
    if (name === undefined) return undefined;
    stacks[0]?.notes.add(`queue ${name} is not in this app: an empty one with the defaults of SQS takes its place`);
    return created.get(queueUrl(name)) ?? new Queue({ name, arn: queueArn(name), url: queueUrl(name) });
  }
  return { get, getOrCreate, ofArn };
}

import * as z from 'zod';
import type { Stack } from './assembly.ts';
import { type EmulatedType, readProperties } from './properties.ts';
import { Queue } from './queue/queue.ts';
import { identity, resolver } from './resolve.ts';

/** The standard queues that an assembly declares. A queue is made when it is first asked for. */
export interface Queues {
  get(url: string): Queue | undefined;
  ofArn(arn: string): Queue | undefined;
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

/** Finds the standard queues that the templates declare, with their visibility timeout, delay, retention and redrive policy. */
export function declaredQueues(stacks: readonly Stack[]): Queues {
  const made = new Map<string, Queue>();
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
            make() {
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
    const queue = made.get(url) ?? declared.find((one) => one.url === url)?.make();
    if (queue !== undefined) made.set(url, queue);
    return queue;
  }
  function ofArn(arn: string): Queue | undefined {
    const one = declared.find((one) => one.arn === arn);
    return one && get(one.url);
  }
  return { get, ofArn };
}

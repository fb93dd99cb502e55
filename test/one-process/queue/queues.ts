import { Queue, type QueueOptions } from '../../../localstack/one-process/queue/queue.ts';

/** A queue with a name of no interest. */
export function newQueue(options: Partial<QueueOptions> = {}): Queue {
  const name = options.name ?? 'buffer';
  return new Queue({
    name,
    arn: `arn:aws:sqs:eu-central-1:123456789012:${name}`,
    url: `https://sqs.eu-central-1.amazonaws.com/123456789012/${name}`,
    ...options,
  });
}

/** Sends a message of each body and returns their ids. */
export function sendAll(queue: Queue, bodies: Iterable<string>): string[] {
  return Array.from(bodies, (body) => queue.send({ body }).messageId);
}

import { Queue, type QueueOptions } from '../../../localstack/one-process/queue/queue.ts';

/** A queue with default options. */
export function newQueue(options: Partial<QueueOptions> = {}): Queue {
  const name = options.name ?? 'buffer';
  return new Queue({
    name,
    arn: `arn:aws:sqs:eu-central-1:123456789012:${name}`,
    url: `https://sqs.eu-central-1.amazonaws.com/123456789012/${name}`,
    ...options,
  });
}

/** Sends one message for each body, and returns the message ids. */
export function sendBodies(queue: Queue, bodies: Iterable<string>): string[] {
  return Array.from(bodies, (body) => queue.send({ body }).messageId);
}

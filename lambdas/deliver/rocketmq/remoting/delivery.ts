import type { Clock } from '../../../net/clock.ts';
import { deadlineIn } from '../../../net/deadline.ts';
import { orderedDelivery, SPLIT } from '../../ordered.ts';
import { type Failure, failure } from '../../outcome.ts';
import type { DeliverContext } from '../../sink.ts';
import { orderKey } from '../message.ts';
import { classify, isTooLarge } from './classify.ts';
import type { PreparedMessage } from './prepared-message.ts';
import { type Queue, queueOfGroup } from './queue.ts';
import type { Route } from './route.ts';
import type { Sender } from './sender.ts';
import { type Sent, sent } from './stored.ts';

/** A message to deliver. */
export interface Outgoing {
  /** With its namespace. */
  readonly topic: string;
  readonly isTopicRendered: boolean;
  readonly group: string | undefined;
  /** Or why it cannot be sent. */
  readonly message: PreparedMessage | Failure;
  /** The queue of its group. @default - any queue */
  readonly queue?: Queue;
}

export interface DeliveryOptions {
  readonly sender: Sender;
  /** Requests at a time. */
  readonly maxInFlight: number;
  readonly maxBatchMessages: number;
  readonly maxBatchBytes: number;
  /** Whether brokers may create topics. @default - those that no message named */
  readonly autoCreateTopics?: boolean | undefined;
  /** Longest that one request may take with all its attempts. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const LIMIT_IN_REMARK = /body length limit (\d+)B/;

/** Delivers messages in batches: those of a group in batches of one queue, others in batches of one topic. */
export function openDelivery({ sender, timeoutMs, clock, ...options }: DeliveryOptions) {
  // Lowered to a broker's limit, once it has answered with one.
  let maxBytes = options.maxBatchBytes;
  const mayCreate = (isTopicRendered: boolean) => options.autoCreateTopics ?? !isTopicRendered;
  const deadlineWithin = (leftMs: number) => deadlineIn(Math.min(timeoutMs, leftMs), clock);

  async function send(batch: readonly Outgoing[], leftMs: number) {
    const [{ topic, queue }] = batch as [Outgoing];
    const messages = batch.map(({ message }) => message).filter(isPrepared);
    // A batch holds no messages beside failures: they have another target.
    if (messages.length === 0) return batch.map(({ message }) => message as Failure);
    const isTopicRendered = batch.every((one) => one.isTopicRendered);
    const result = await sender.send(topic, mayCreate(isTopicRendered), messages, queue, deadlineWithin(leftMs));
    if ('queue' in result) return messages.map((message, place) => sent(message, result, place));
    const { error, isMaybeStored } = result;
    if (isTooLarge(error) && messages.length > 1) {
      lowerLimit(messages, error.remark);
      return SPLIT;
    }
    throw classify(error, { topic, isTopicRendered, isMaybeStored });
  }

  function lowerLimit(batch: readonly PreparedMessage[], remark: string): void {
    const bytes = batch.reduce((sum, { recordBytes }) => sum + recordBytes, 0);
    const limit = Number(LIMIT_IN_REMARK.exec(remark)?.[1] ?? bytes >> 1);
    if (limit < bytes) maxBytes = Math.min(maxBytes, limit);
  }

  /** Finds the queues of groups. Messages whose topic has no route fail as that does. */
  async function place(outgoing: readonly Outgoing[], { remainingMs }: DeliverContext): Promise<readonly Outgoing[]> {
    const routes = new Map<string, Promise<Route | Failure>>();
    for (const { topic, group, message, isTopicRendered } of outgoing) {
      if (group === undefined || !isPrepared(message) || routes.has(topic)) continue;
      routes.set(topic, routeTo(topic, isTopicRendered, remainingMs()));
    }
    if (routes.size === 0) return outgoing;
    return Promise.all(
      outgoing.map(async (one) => {
        if (one.group === undefined || !isPrepared(one.message)) return one;
        const route = (await routes.get(one.topic))!;
        return 'status' in route ? { ...one, message: route } : { ...one, queue: queueOfGroup(route, one.group) };
      }),
    );
  }

  async function routeTo(topic: string, isTopicRendered: boolean, leftMs: number): Promise<Route | Failure> {
    const deadline = deadlineWithin(leftMs);
    if (deadline.leftMs() === 0) return { status: 'unsent' };
    try {
      return await sender.route(topic, mayCreate(isTopicRendered), deadline);
    } catch (error) {
      return failure(classify(error, { topic, isTopicRendered, isMaybeStored: false }));
    }
  }

  const deliver = orderedDelivery<Outgoing, Sent>({
    orderKey: ({ topic, group }, order) => orderKey(topic, group, order),
    batching: {
      target: ({ topic, queue, message }) =>
        isPrepared(message) ? `${topic}\n${queue?.broker ?? ''}\n${queue?.id ?? ''}` : '',
      bytes: ({ message }) =>
        isPrepared(message) ? (message.isDelayed ? Number.POSITIVE_INFINITY : message.recordBytes) : 0,
      maxRequests: options.maxBatchMessages,
      get maxBytes() {
        return maxBytes;
      },
      isAtomic: true,
    },
    maxConcurrency: options.maxInFlight,
    send,
  });
  return async (outgoing: readonly Outgoing[], context: DeliverContext) =>
    deliver(await place(outgoing, context), context);
}

function isPrepared(message: PreparedMessage | Failure): message is PreparedMessage {
  return 'id' in message;
}

import type { ConcurrencyLimit } from '../../net/concurrency-limit.ts';
import type { Deadline } from '../../net/deadline.ts';
import { splitBatches } from './batch.ts';
import { classify, isTooLarge } from './classify.ts';
import type { PreparedMessage } from './message.ts';
import { type SendOutcome, sent, toOutcome } from './outcome.ts';
import { type Queue, queueOfGroup } from './queue.ts';
import type { Sender, Unsent } from './sender.ts';

/** What a batch may be, as far as brokers have told. */
export interface Limits {
  readonly maxMessages: number;
  maxBytes: number;
}

export interface DeliveryOptions {
  readonly topic: string;
  readonly isTopicRendered: boolean;
  /** Whether messages without a group follow each other, too. */
  readonly isOrdered: boolean;
  readonly sender: Sender;
  /** Lowered when a broker takes less. */
  readonly limits: Limits;
  /** Runs a request when there is room for it. */
  readonly lane: ConcurrencyLimit;
  /** The deadline of a request that starts now. */
  readonly within: () => Deadline;
}

type Outcomes = Map<PreparedMessage, SendOutcome>;

const LIMIT_IN_REMARK = /body length limit (\d+)B/;

/** What messages without a group are in line as. */
const UNGROUPED = Symbol('ungrouped');

/** Sends messages of one topic in batches, as many at once as may be; each has an outcome in the end. */
export async function deliver(messages: readonly PreparedMessage[], options: DeliveryOptions): Promise<Outcomes> {
  const { topic, isTopicRendered, isOrdered, sender, limits, lane, within } = options;
  const outcomes: Outcomes = new Map();
  const ungrouped = messages.filter(({ group }) => group === undefined);
  const grouped = messages.filter(({ group }) => group !== undefined);
  const parallel = isOrdered ? [ungrouped] : splitBatches(ungrouped, limits);
  const tasks = parallel.map((part) => () => sendInTurn(part, undefined, limits));
  if (grouped.length > 0) tasks.push(...(await inQueues(grouped)));
  await Promise.all(tasks.map(lane));
  return outcomes;

  async function sendBatch(batch: readonly PreparedMessage[], queue: Queue | undefined): Promise<void> {
    const deadline = within();
    if (deadline.leftMs() === 0) return leave(batch);
    const result = await sender.send(topic, batch, queue, deadline);
    if ('queue' in result) {
      batch.forEach((message, place) => {
        outcomes.set(message, sent(message, result, place));
      });
    } else if (isTooLarge(result.error) && batch.length > 1) {
      learn(batch, result.error.remark);
      // Smaller every time, whatever a server says.
      const maxMessages = Math.ceil(batch.length / 2);
      await sendInTurn(batch, queue, { ...limits, maxMessages });
    } else fail(batch, result);
  }

  function learn(batch: readonly PreparedMessage[], remark: string): void {
    const bytes = batch.reduce((sum, { recordBytes }) => sum + recordBytes, 0);
    const told = Number(LIMIT_IN_REMARK.exec(remark)?.[1] ?? bytes >> 1);
    if (told < bytes) limits.maxBytes = Math.min(limits.maxBytes, told);
  }

  function leave(batch: readonly PreparedMessage[]): void {
    for (const message of batch) outcomes.set(message, { status: 'unsent' });
  }

  function fail(batch: readonly PreparedMessage[], { error, isMaybeStored }: Unsent): void {
    const verdict = classify(error, { topic, isTopicRendered, isMaybeStored });
    for (const message of batch) outcomes.set(message, toOutcome(verdict));
  }

  async function inQueues(all: readonly PreparedMessage[]): Promise<(() => Promise<void>)[]> {
    const deadline = within();
    if (deadline.leftMs() === 0) {
      leave(all);
      return [];
    }
    try {
      const route = await sender.route(topic, deadline);
      return [...byQueue(all, (group) => queueOfGroup(route, group))].map(
        ([queue, messages]) =>
          () =>
            sendInTurn(messages, queue, limits),
      );
    } catch (error) {
      fail(all, { error, isMaybeStored: false });
      return [];
    }
  }

  /** One batch after the other; behind a message that is still owed, the rest of its line waits. */
  async function sendInTurn(all: readonly PreparedMessage[], queue: Queue | undefined, size: Limits): Promise<void> {
    const held = new Set<string | symbol | undefined>();
    const isHeld = (message: PreparedMessage) => held.has(lineOf(message));
    for (const batch of splitBatches(all, size)) {
      leave(batch.filter((message) => isHeld(message)));
      const free = batch.filter((message) => !isHeld(message));
      if (free.length > 0) await sendBatch(free, queue);
      for (const message of free) {
        const line = lineOf(message);
        const { status } = outcomes.get(message)!;
        if (line !== undefined && status !== 'delivered' && status !== 'never') held.add(line);
      }
    }
  }

  /** Messages of a line are stored in their order; those without one in any. */
  function lineOf({ group }: PreparedMessage): string | symbol | undefined {
    return group ?? (isOrdered ? UNGROUPED : undefined);
  }
}

function byQueue(
  messages: readonly PreparedMessage[],
  queueOf: (group: string) => Queue,
): Iterable<[Queue, PreparedMessage[]]> {
  const queues = new Map<string, [Queue, PreparedMessage[]]>();
  for (const message of messages) {
    const queue = queueOf(message.group!);
    const key = `${queue.id} ${queue.broker}`;
    const entry = queues.get(key);
    if (entry === undefined) queues.set(key, [queue, [message]]);
    else entry[1].push(message);
  }
  return queues.values();
}

import { type Deadline, deadlineIn } from '../../../net/deadline.ts';
import { openBrokerBackoff } from '../broker-backoff.ts';
import type { ReadTopicOptions, TopicMessage } from '../topic-message.ts';
import { type Answer, type Request, requestCodes, resultCodes } from './command.ts';
import { MissingTopicError, RefusedError } from './errors.ts';
import { openNameServers } from './name-servers.ts';
import { type ProducerOptions, withDefaults } from './options.ts';
import { openPool } from './pool.ts';
import { parseReadableQueues, type ReadableQueue } from './route.ts';
import { openSigner } from './signer.ts';
import { decodeMessages, type StoredMessage } from './stored-message.ts';

/** Every broker has this consumer group. */
const GROUP = 'TOOLS_CONSUMER';
const MAX_PULLED = 32;
/** The request itself has the subscription (class PullSysFlag of RocketMQ). */
const WITH_SUBSCRIPTION = '4';

/**
 * Reads a topic through name servers, up to its end now, and consumes nothing: no offset changes, of whichever consumer group.
 *
 * @throws MissingTopicError, RefusedError, NoAnswerError, ProtocolError
 */
export async function readTopic(
  options: ProducerOptions,
  topic: string,
  { since, limit, consumerGroup = GROUP, timeoutMs = 30_000 }: ReadTopicOptions,
): Promise<TopicMessage[]> {
  const all = withDefaults(options);
  const { clock } = all;
  const pool = openPool(all);
  const backoff = openBrokerBackoff(all.backoffMs, clock);
  const nameServers = openNameServers({ addresses: all.nameServers, pool, backoff, clock });
  const signer = openSigner(all.credentials, clock);
  const deadline: Deadline = deadlineIn(timeoutMs, clock);

  async function request(address: string, unsigned: Request): Promise<Answer> {
    return pool.request(address, await signer.sign(unsigned), deadline);
  }

  /** Pulls messages of a queue from an offset on, without committing one. Nothing else needs a permission beside Sub. */
  async function pull(queue: ReadableQueue, from: number, count: number): Promise<Pulled> {
    const answer = await request(queue.address, {
      code: requestCodes.pullMessage,
      fields: {
        consumerGroup,
        topic,
        queueId: `${queue.id}`,
        queueOffset: `${from}`,
        maxMsgNums: `${count}`,
        sysFlag: WITH_SUBSCRIPTION,
        commitOffset: '0',
        suspendTimeoutMillis: '0',
        subscription: '*',
        subVersion: '0',
        expressionType: 'TAG',
      },
    });
    const isFound = answer.code === resultCodes.success;
    if (!isFound && !PULL_CONTINUES.has(answer.code)) throw new RefusedError(queue.address, answer.code, answer.remark);
    const field = (name: string) => Number(answer.fields.get(name));
    return {
      messages: isFound ? decodeMessages(answer.body) : [],
      next: field('nextBeginOffset'),
      begin: field('minOffset'),
      end: field('maxOffset'),
    };
  }

  /** The offset of the first message that was stored at or after `since`, between two offsets. */
  async function firstSince(queue: ReadableQueue, begin: number, end: number): Promise<number> {
    let [low, high] = [begin, end];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { messages, next } = await pull(queue, middle, 1);
      const isEarlier = messages[0] !== undefined && messages[0].storedAt < since;
      if (isEarlier || (messages.length === 0 && next > middle)) low = Math.min(high, Math.max(next, middle + 1));
      else high = middle;
    }
    return low;
  }

  async function readQueue(queue: ReadableQueue): Promise<TopicMessage[]> {
    const { begin, end } = await pull(queue, 0, 1);
    let from = await firstSince(queue, begin, end);
    const found: TopicMessage[] = [];
    while (from < end && found.length < limit) {
      const { messages, next } = await pull(queue, from, Math.min(MAX_PULLED, limit - found.length));
      for (const message of messages) if (message.storedAt >= since) found.push({ ...message, broker: queue.broker });
      if (!(next > from)) break;
      from = next;
    }
    return found;
  }

  try {
    const query = { code: requestCodes.getRouteInfoByTopic, fields: { topic, acceptStandardJsonOnly: 'true' } };
    const { answer } = await nameServers.query(query, deadline);
    if (answer.code === resultCodes.topicNotExist) throw new MissingTopicError(`topic ${topic} does not exist`);
    const queues = parseReadableQueues(answer.body.toString('utf8'));
    return (await Promise.all(queues.map(readQueue))).flat();
  } finally {
    pool.close();
  }
}

/** No message at this offset, none that the subscription wants, or the offset moved: the answer names the next one. */
const PULL_CONTINUES = new Set([19, 20, 21]);

interface Pulled {
  readonly messages: readonly StoredMessage[];
  /** The offset to pull from next. */
  readonly next: number;
  /** The queue's first offset, and the one behind its last. */
  readonly begin: number;
  readonly end: number;
}

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
import { decodeMessages } from './stored-message.ts';

/** Every broker has this consumer group; reading with it commits no offset. */
const GROUP = 'TOOLS_CONSUMER';
const MAX_PULLED = 32;
/** The request itself has the subscription (class PullSysFlag of RocketMQ). */
const WITH_SUBSCRIPTION = '4';

/**
 * Reads a topic through name servers, up to its end now, and consumes nothing: no offset changes.
 *
 * @throws MissingTopicError, RefusedError, NoAnswerError, ProtocolError
 */
export async function readTopic(
  options: ProducerOptions,
  topic: string,
  { since, limit, timeoutMs = 30_000 }: ReadTopicOptions,
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

  async function offset(queue: ReadableQueue, code: number, fields: Record<string, string>): Promise<number> {
    const answer = await request(queue.address, { code, fields: { topic, queueId: `${queue.id}`, ...fields } });
    if (answer.code !== resultCodes.success) throw new RefusedError(queue.address, answer.code, answer.remark);
    return Number(answer.fields.get('offset'));
  }

  async function readQueue(queue: ReadableQueue): Promise<TopicMessage[]> {
    const end = await offset(queue, requestCodes.getMaxOffset, {});
    let next = await offset(queue, requestCodes.searchOffsetByTimestamp, { timestamp: `${since}` });
    const found: TopicMessage[] = [];
    while (next < end && found.length < limit) {
      const answer = await request(queue.address, {
        code: requestCodes.pullMessage,
        fields: {
          consumerGroup: GROUP,
          topic,
          queueId: `${queue.id}`,
          queueOffset: `${next}`,
          maxMsgNums: `${Math.min(MAX_PULLED, limit - found.length)}`,
          sysFlag: WITH_SUBSCRIPTION,
          commitOffset: '0',
          suspendTimeoutMillis: '0',
          subscription: '*',
          subVersion: '0',
          expressionType: 'TAG',
        },
      });
      if (answer.code === resultCodes.success) {
        // For a time that lies ahead, brokers of version 4 give the last message's offset.
        for (const message of decodeMessages(answer.body))
          if (message.storedAt >= since) found.push({ ...message, broker: queue.broker });
      } else if (!PULL_CONTINUES.has(answer.code)) throw new RefusedError(queue.address, answer.code, answer.remark);
      const following = Number(answer.fields.get('nextBeginOffset'));
      if (!(following > next)) break;
      next = following;
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

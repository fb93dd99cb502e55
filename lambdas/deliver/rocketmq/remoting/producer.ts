import { NeverRetry } from '../../../core/errors.ts';
import { concurrencyLimit } from '../../net/concurrency-limit.ts';
import { deadlineIn } from '../../net/deadline.ts';
import { openAvoidance } from './avoidance.ts';
import { type Connectivity, testConnectivity } from './connectivity.ts';
import { deliver, type Limits } from './delivery.ts';
import { checkTopic, type Message, type PreparedMessage, prepareMessage } from './message.ts';
import { messageIds } from './message-id.ts';
import { openNameServers } from './name-servers.ts';
import { type ProducerOptions, withDefaults } from './options.ts';
import { type SendOutcome, toOutcome } from './outcome.ts';
import { openPool } from './pool.ts';
import { openRoutes } from './routes.ts';
import { openSender } from './sender.ts';
import { openSigner } from './signer.ts';

export type { TlsOptions } from '../../net/tls.ts';
export type { Credentials, CredentialsSource } from '../credentials.ts';
export type { Connectivity } from './connectivity.ts';
export type { Message } from './message.ts';
export type { ProducerOptions } from './options.ts';
export type { SendOutcome, Sent } from './outcome.ts';

export interface SendOptions {
  /** Milliseconds until nothing more may be started. @default - every request has `timeoutMs` */
  readonly remainingMs?: () => number;
  /** Whether a template named the topic: what is wrong with it is then the messages' fault, not the task's. @default false */
  readonly isTopicRendered?: boolean;
  /** Whether messages decide if they have a group or a time: a topic may then refuse some. By proxies only. @default false */
  readonly isTypeRendered?: boolean;
  /**
   * Whether messages without a group are stored in their order, too: behind one that failed, the others are left unsent. By
   * name servers only: a proxy's caller gives it as many as may be under way at once. @default false
   */
  readonly isOrdered?: boolean;
}

/** Sends messages to RocketMQ 4 and 5 by the remoting protocol: through name servers, to brokers. */
export interface Producer {
  /**
   * One outcome per message, in order. A message that timed out may be stored: at least once, so duplicates are possible,
   * and have the same keys. Messages of a group are stored in their order: behind one that failed, the others are left unsent.
   */
  send(topic: string, messages: readonly Message[], options?: SendOptions): Promise<readonly SendOutcome[]>;
  /**
   * Asks for the topic's route, and each of its brokers whether it would take a message for it; nothing is stored (A18, A24).
   * Without a topic it finds the brokers, and asks whether they accept the credentials.
   *
   * @throws RetryLater, NeverRetry, StopTask
   */
  testConnectivity(topic?: string): Promise<Connectivity>;
  /** Ends what is in flight. */
  close(): void;
}

/** @throws InvalidOptionError */
export function openProducer(options: ProducerOptions): Producer {
  const all = withDefaults(options);
  const { namespace, timeoutMs, maxInFlight, maxMessageBytes, defaultTopicQueueNums, clock } = all;
  const producerGroup = inNamespace(all.producerGroup, namespace);
  const limits: Limits = { maxMessages: all.maxBatchMessages, maxBytes: all.maxBatchBytes };
  const avoidance = openAvoidance(all.avoidMs, clock);
  const pool = openPool(all);
  const nameServers = openNameServers({ addresses: all.nameServers, pool, avoidance, clock });
  const routes = openRoutes({ ...all, nameServers, refreshMs: all.refreshTopicRouteIntervalMs });
  const signer = openSigner(all.credentials, clock);
  const sender = openSender({ pool, routes, signer, avoidance, producerGroup, defaultTopicQueueNums, clock });
  const nextId = messageIds(clock);
  const lane = concurrencyLimit(maxInFlight);

  return {
    async send(name, messages, { remainingMs, isTopicRendered = false, isOrdered = false } = {}) {
      const topic = inNamespace(name, namespace);
      const prepared = messages.map((message) => prepare(topic, message, nextId(), maxMessageBytes));
      const outcomes = await deliver(
        prepared.filter((one) => 'id' in one),
        {
          topic,
          isTopicRendered,
          isOrdered,
          sender,
          limits,
          lane,
          within: () => deadlineIn(Math.min(timeoutMs, remainingMs?.() ?? timeoutMs), clock),
        },
      );
      return prepared.map((one) => ('id' in one ? outcomes.get(one)! : one));
    },
    testConnectivity(name) {
      const topic = name === undefined ? undefined : inNamespace(name, namespace);
      const deadline = deadlineIn(timeoutMs, clock);
      return testConnectivity({ topic, sender, nameServers, producerGroup, clock }, deadline);
    },
    close: () => pool.close(),
  };
}

/** What can be sent, or the outcome of what cannot. */
function prepare(topic: string, message: Message, id: string, maxMessageBytes: number): PreparedMessage | SendOutcome {
  try {
    checkTopic(topic);
    return prepareMessage(message, id, maxMessageBytes);
  } catch (error) {
    if (error instanceof NeverRetry) return toOutcome(error);
    throw error;
  }
}

/** Topics and groups of an instance carry its id. */
function inNamespace(name: string, namespace: string | undefined): string {
  return namespace === undefined || name.startsWith(`${namespace}%`) ? name : `${namespace}%${name}`;
}

import { NeverRetry, RetryLater } from '../../../core/errors.ts';
import type { Clock } from '../../../net/clock.ts';
import type { Deadline } from '../../../net/deadline.ts';
import type { BrokerBackoff } from '../broker-backoff.ts';
import { isCredentialsRefusal, isWorthAnotherTry } from './classify.ts';
import { type Answer, type Request, resultCodes, VERSION_5 } from './command.ts';
import { NoAnswerError, RefusedError } from './errors.ts';
import type { Pool } from './pool.ts';
import type { PreparedMessage } from './prepared-message.ts';
import { type Queue, roundRobin } from './queue.ts';
import type { Route } from './route.ts';
import type { Routes } from './routes.ts';
import { probeRequest, type SendTo, sendRequest } from './send-request.ts';
import type { Signer } from './signer.ts';
import type { Stored } from './stored.ts';

export interface SenderOptions {
  readonly pool: Pick<Pool, 'request' | 'replace'>;
  readonly routes: Routes;
  readonly signer: Signer;
  readonly backoff: BrokerBackoff;
  readonly producerGroup: string;
  readonly defaultTopicQueueNums: number;
  readonly clock: Clock;
}

/** The error of the last attempt to send. */
export interface FailedAttempts {
  readonly error: unknown;
  /** Whether any attempt was not answered, so that a broker may have stored the messages. */
  readonly isMaybeStored: boolean;
}

/** Sends requests, with further attempts within their deadline. */
export interface Sender {
  /** Sends messages to one queue: the one given, else the next one. */
  send(
    topic: string,
    mayCreate: boolean,
    messages: readonly PreparedMessage[],
    queue: Queue | undefined,
    deadline: Deadline,
  ): Promise<Stored | FailedAttempts>;
  /** Queries a topic's route, with further attempts within the deadline. @throws the error of the last one. */
  route(topic: string, mayCreate: boolean, deadline: Deadline): Promise<Route>;
  /** Asks a broker whether it would accept a message for the topic. @throws RefusedError when it would not. */
  probe(topic: string, address: string, deadline: Deadline): Promise<void>;
  /** Sends a signed request, and once more with new credentials if they were rotated. @throws RefusedError */
  request(address: string, request: Request, deadline: Deadline): Promise<Answer>;
}

const MAX_ATTEMPTS = 3;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
const { success, flushDiskTimeout, slaveNotAvailable, flushSlaveTimeout } = resultCodes;
const STORED = new Map<number, string | undefined>([
  [success, undefined],
  [flushDiskTimeout, 'flushing to disk timed out'],
  [slaveNotAvailable, 'no slave available'],
  [flushSlaveTimeout, 'flushing to the slave timed out'],
]);
/** The answer to a probe by a broker that would accept a message. A missing topic is fine, too: a message may create it. */
const NO_SUCH_QUEUE = /queueId.*illegal/is;

export function openSender(options: SenderOptions): Sender {
  const { pool, routes, signer, backoff, producerGroup, defaultTopicQueueNums, clock } = options;
  const nextQueue = roundRobin(backoff);
  const versions = new Map<string, number>();

  function sendTo(topic: string, queueId: number): SendTo {
    return { producerGroup, topic, queueId, defaultTopicQueueNums, bornAtMs: clock.wallMs() };
  }

  async function request(address: string, unsigned: Request, deadline: Deadline): Promise<Answer> {
    for (let isRenewed = false; ; isRenewed = true) {
      const signed = await signer.sign(unsigned);
      const answer = await pool.request(address, signed, deadline);
      versions.set(address, answer.version);
      if (STORED.has(answer.code)) return answer;
      if (answer.code === resultCodes.goAway) pool.replace(address);
      const refused = new RefusedError(address, answer.code, answer.remark);
      if (isRenewed || !isCredentialsRefusal(refused) || !(await signer.renew(signed))) throw refused;
    }
  }

  async function probe(topic: string, address: string, deadline: Deadline): Promise<void> {
    try {
      await request(address, probeRequest(sendTo(topic, 0)), deadline);
    } catch (error) {
      const isAccepted =
        error instanceof RefusedError && (error.code === resultCodes.topicNotExist || NO_SUCH_QUEUE.test(error.remark));
      if (!isAccepted) throw error;
    }
  }

  async function checkVersion(topic: string, address: string, deadline: Deadline): Promise<void> {
    if (!versions.has(address)) await probe(topic, address, deadline);
    if (versions.get(address)! < VERSION_5)
      throw new NeverRetry('REJECTED', `deliverAtMs: broker ${address} is older than 5.0; expected delayLevel`);
  }

  async function attempt(
    topic: string,
    messages: readonly PreparedMessage[],
    queue: Queue,
    deadline: Deadline,
  ): Promise<Stored> {
    if (messages[0]!.isTimed) await checkVersion(topic, queue.address, deadline);
    const { code, fields } = await request(queue.address, sendRequest(sendTo(topic, queue.id), messages), deadline);
    backoff.recovered(queue.address);
    const warning = STORED.get(code);
    const id = Number(fields.get('queueId') ?? queue.id);
    return {
      queue: { ...queue, id },
      offset: Number(fields.get('queueOffset')),
      ...(warning !== undefined && { warning }),
    };
  }

  /** Forgets the route, and tries other brokers first if this one is at fault. */
  function learn(topic: string, queue: Queue | undefined, error: unknown): void {
    routes.drop(topic);
    const isBrokerAtFault = error instanceof NoAnswerError ? error.reason !== 'lost' : error instanceof RefusedError;
    if (queue !== undefined && isBrokerAtFault) backoff.failed(queue.address);
  }

  /** Waits before the next attempt. @returns false when there is none. */
  async function pause(attempts: number, error: unknown, deadline: Deadline): Promise<boolean> {
    if (attempts >= MAX_ATTEMPTS || !isWorthAnotherTry(error)) return false;
    if (error instanceof NoAnswerError && error.reason === 'closed') return false;
    // A connection that was lost while the sandbox was frozen can be opened again at once.
    const isCut = error instanceof NoAnswerError && error.reason === 'lost' && attempts === 1;
    const pauseMs = isCut ? 0 : Math.min(FIRST_PAUSE_MS * 4 ** attempts, MAX_PAUSE_MS) * (1 - Math.random() / 2);
    if (pauseMs >= deadline.leftMs()) return false;
    await clock.sleep(pauseMs);
    return true;
  }

  return {
    request,
    probe,
    async route(topic, mayCreate, deadline) {
      for (let attempts = 1; ; attempts++) {
        try {
          return await routes.get(topic, mayCreate, deadline);
        } catch (error) {
          if (!(await pause(attempts, error, deadline))) throw error;
        }
      }
    },
    async send(topic, mayCreate, messages, fixed, deadline) {
      let isMaybeStored = false;
      for (let attempts = 1; ; attempts++) {
        let queue: Queue | undefined;
        try {
          const route = await routes.get(topic, mayCreate, deadline);
          queue = fixed === undefined ? nextQueue(route) : withCurrentMaster(fixed, route);
          return await attempt(topic, messages, queue, deadline);
        } catch (error) {
          isMaybeStored ||= error instanceof NoAnswerError && error.hasLeft && queue !== undefined;
          if (isWorthAnotherTry(error)) learn(topic, queue, error);
          if (!(await pause(attempts, error, deadline))) return { error, isMaybeStored };
        }
      }
    },
  };
}

/** Messages of a group stay in their queue, while its broker may get another master. */
function withCurrentMaster(queue: Queue, { brokers }: Route): Queue {
  const broker = brokers.find(({ name }) => name === queue.broker);
  if (broker === undefined || queue.id >= broker.queues)
    throw new RetryLater(`queue ${queue.id} of broker ${queue.broker} is away`);
  return { ...queue, address: broker.address };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { NeverRetry, RetryLater } from '../../../core/errors.ts';
import type { Clock } from '../../net/clock.ts';
import type { Deadline } from '../../net/deadline.ts';
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

/** A send that came to nothing, with all that was tried behind it. */
export interface Unsent {
  readonly error: unknown;
  readonly isMaybeStored: boolean;
}

/** Sends one request, whatever it takes within its time. */
export interface Sender {
  /** Messages go to one queue: the one given, else whichever is next. */
  send(
    topic: string,
    messages: readonly PreparedMessage[],
    queue: Queue | undefined,
    deadline: Deadline,
  ): Promise<Stored | Unsent>;
  /** Tries a route again and again within the time. */
  route(topic: string, deadline: Deadline): Promise<Route>;
  /** Asks a broker whether it would take a message for the topic. @throws RefusedError when it would not */
  probe(topic: string, address: string, deadline: Deadline): Promise<void>;
  /** Sends a signed request; once more, when credentials turn out to have been rotated. @throws RefusedError */
  ask(address: string, request: Request, deadline: Deadline): Promise<Answer>;
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
/** What a broker answers the probe when it would have taken a message; a topic that is not there yet may be made. */
const NO_SUCH_QUEUE = /queueId.*illegal/is;

export function openSender(options: SenderOptions): Sender {
  const { pool, routes, signer, backoff, producerGroup, defaultTopicQueueNums, clock } = options;
  const nextQueue = roundRobin(backoff);
  const versions = new Map<string, number>();

  function addressee(topic: string, queueId: number): SendTo {
    return { producerGroup, topic, queueId, defaultTopicQueueNums, bornAtMs: clock.wallMs() };
  }

  async function ask(address: string, request: Request, deadline: Deadline): Promise<Answer> {
    for (let isRenewed = false; ; isRenewed = true) {
      const signed = await signer.sign(request);
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
      await ask(address, probeRequest(addressee(topic, 0)), deadline);
    } catch (error) {
      const isWelcome =
        error instanceof RefusedError && (error.code === resultCodes.topicNotExist || NO_SUCH_QUEUE.test(error.remark));
      if (!isWelcome) throw error;
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
    const { code, fields } = await ask(queue.address, sendRequest(addressee(topic, queue.id), messages), deadline);
    backoff.recovered(queue.address);
    const warning = STORED.get(code);
    const id = Number(fields.get('queueId') ?? queue.id);
    return {
      queue: { ...queue, id },
      offset: Number(fields.get('queueOffset')),
      ...(warning !== undefined && { warning }),
    };
  }

  /** What a failure says about the broker and its route. */
  function learn(topic: string, queue: Queue | undefined, error: unknown): void {
    routes.drop(topic);
    const isBrokersFault = error instanceof NoAnswerError ? error.reason !== 'lost' : error instanceof RefusedError;
    if (queue !== undefined && isBrokersFault) backoff.failed(queue.address);
  }

  /** Waits before the next try; false when there is none. */
  async function pause(tries: number, error: unknown, deadline: Deadline): Promise<boolean> {
    if (tries >= MAX_ATTEMPTS || !isWorthAnotherTry(error)) return false;
    if (error instanceof NoAnswerError && error.reason === 'closed') return false;
    // A connection that a thaw or a restart has cut works again at once.
    const isCut = error instanceof NoAnswerError && error.reason === 'lost' && tries === 1;
    const pauseMs = isCut ? 0 : Math.min(FIRST_PAUSE_MS * 4 ** tries, MAX_PAUSE_MS) * (1 - Math.random() / 2);
    if (pauseMs >= deadline.leftMs()) return false;
    await sleep(pauseMs);
    return true;
  }

  return {
    ask,
    probe,
    async route(topic, deadline) {
      for (let tries = 1; ; tries++) {
        try {
          return await routes.get(topic, deadline);
        } catch (error) {
          if (!(await pause(tries, error, deadline))) throw error;
        }
      }
    },
    async send(topic, messages, fixed, deadline) {
      let isMaybeStored = false;
      for (let tries = 1; ; tries++) {
        let queue: Queue | undefined;
        try {
          const route = await routes.get(topic, deadline);
          queue = fixed === undefined ? nextQueue(route) : findAgain(fixed, route);
          return await attempt(topic, messages, queue, deadline);
        } catch (error) {
          isMaybeStored ||= error instanceof NoAnswerError && error.hasLeft && queue !== undefined;
          if (isWorthAnotherTry(error)) learn(topic, queue, error);
          if (!(await pause(tries, error, deadline))) return { error, isMaybeStored };
        }
      }
    },
  };
}

/** An ordered message never moves to another queue; its broker's master may have moved. */
function findAgain(queue: Queue, { brokers }: Route): Queue {
  const broker = brokers.find(({ name }) => name === queue.broker);
  if (broker === undefined || queue.id >= broker.queues)
    throw new RetryLater(`queue ${queue.id} of broker ${queue.broker} is away`);
  return { ...queue, address: broker.address };
}

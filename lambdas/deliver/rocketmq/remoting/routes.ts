import { RetryLater } from '../../../core/errors.ts';
import type { Clock } from '../../../net/clock.ts';
import { type Deadline, deadlineIn } from '../../../net/deadline.ts';
import { requestCodes, resultCodes } from './command.ts';
import { MissingTopicError, ServerTopicError } from './errors.ts';
import type { AnswerFrom, NameServers } from './name-servers.ts';
import { asDefaultRoute, DEFAULT_TOPIC, parseCluster, parseRoute, type Route } from './route.ts';

export interface RoutesOptions {
  readonly nameServers: NameServers;
  /** A route older than this is queried again before it is used. No timer does so: Lambda freezes timers. */
  readonly refreshMs: number;
  readonly defaultTopicQueueNums: number;
  readonly clock: Clock;
  /** Called with the address of a broker that is on no known route any more. */
  onLeft(address: string): void;
}

export interface Routes {
  /**
   * @param mayCreate Whether a broker may create the topic with its first message.
   * @throws MissingTopicError; ServerTopicError; RetryLater when no broker accepts messages for the topic; the failure of the
   *   name servers.
   */
  get(topic: string, mayCreate: boolean, deadline: Deadline): Promise<Route>;
  /** Forgets a route after a send by it failed. */
  drop(topic: string): void;
}

interface Known {
  route: Route | undefined;
  queriedAtMs: number;
  query: Promise<Route> | undefined;
  /** Of the brokers on its last route, also after the route was dropped. */
  addresses: ReadonlySet<string>;
}

/** Messages may name topics, so the number of known ones is bounded. */
const MAX_TOPICS = 1_000;
/** A refresh that takes longer is given up, and the old route used. */
const REFRESH_TIMEOUT_MS = 1_000;
/** For this long after a broker was seen, a missing topic may be one that only this broker holds. */
const AWAY_MS = 60_000;

export function openRoutes(options: RoutesOptions): Routes {
  const { nameServers, refreshMs, defaultTopicQueueNums, clock, onLeft } = options;
  const topics = new Map<string, Known>();
  const seenAtMs = new Map<string, number>();

  function known(topic: string): Known {
    let one = topics.get(topic);
    if (one === undefined) {
      if (topics.size >= MAX_TOPICS) forget(topics.keys().next().value!);
      one = { route: undefined, queriedAtMs: Number.NEGATIVE_INFINITY, query: undefined, addresses: new Set() };
      topics.set(topic, one);
    }
    return one;
  }

  function forget(topic: string): void {
    const { addresses } = topics.get(topic)!;
    topics.delete(topic);
    leave(addresses);
  }

  const routeRequest = (topic: string) => ({
    code: requestCodes.getRouteInfoByTopic,
    fields: { topic, acceptStandardJsonOnly: 'true' },
  });

  function read({ answer }: AnswerFrom): Route | undefined {
    if (answer.code === resultCodes.topicNotExist) return undefined;
    const route = parseRoute(answer.body.toString('utf8'));
    for (const { name } of route.brokers) seenAtMs.set(name, clock.monotonicMs());
    return route;
  }

  async function fetch(topic: string, mayCreate: boolean, wasThere: boolean, deadline: Deadline): Promise<Route> {
    const existing = read(await nameServers.query(routeRequest(topic), deadline));
    if (existing !== undefined) return checkRoute(topic, existing);
    if (mayCreate) {
      const ofDefault = read(await nameServers.query(routeRequest(DEFAULT_TOPIC), deadline));
      if (ofDefault !== undefined) return checkRoute(topic, asDefaultRoute(ofDefault, defaultTopicQueueNums));
    }
    for (const answer of await nameServers.queryAll(routeRequest(topic), deadline)) {
      const route = read(answer);
      if (route !== undefined) return checkRoute(topic, route);
    }
    throw await missing(topic, mayCreate, wasThere, deadline);
  }

  /** A name server forgets a topic with the last broker that holds it, so an unknown topic may also be one whose brokers are away. */
  async function missing(topic: string, mayCreate: boolean, wasThere: boolean, deadline: Deadline): Promise<Error> {
    const { answer } = await nameServers.query({ code: requestCodes.getBrokerClusterInfo, fields: {} }, deadline);
    const live = parseCluster(answer.body.toString('utf8')).map(({ name }) => name);
    if (live.length === 0) return new RetryLater(`no broker is registered with the name servers: topic ${topic}`);
    for (const [name, at] of seenAtMs) if (clock.monotonicMs() - at > AWAY_MS) seenAtMs.delete(name);
    const gone = [...seenAtMs.keys()].filter((name) => !live.includes(name));
    if (wasThere || gone.length > 0)
      return new RetryLater(
        `no live broker holds topic ${topic}${gone.length > 0 ? `; away: ${gone.join(', ')}` : ''}`,
      );
    return new MissingTopicError(
      `topic ${topic} does not exist${mayCreate ? ', and no broker creates topics automatically' : ''}`,
    );
  }

  function leave(left: Iterable<string>): void {
    for (const address of left) if (![...topics.values()].some((one) => one.addresses.has(address))) onLeft(address);
  }

  return {
    async get(topic, mayCreate, deadline) {
      const one = known(topic);
      const isFresh = one.route !== undefined && clock.monotonicMs() - one.queriedAtMs <= refreshMs;
      if (isFresh) return one.route!;
      const old = one.route;
      const limit = old === undefined ? deadline : deadlineIn(REFRESH_TIMEOUT_MS, clock, deadline);
      one.query ??= fetch(topic, mayCreate, Number.isFinite(one.queriedAtMs), limit).finally(() => {
        one.query = undefined;
      });
      try {
        one.route = await one.query;
        const before = one.addresses;
        one.addresses = new Set(one.route.brokers.map(({ address }) => address));
        leave([...before].filter((address) => !one.addresses.has(address)));
      } catch (error) {
        if (old === undefined) throw error;
      }
      // After a failed refresh, the next one is due as late as after a successful one.
      one.queriedAtMs = clock.monotonicMs();
      return one.route ?? old!;
    },
    drop(topic) {
      const one = topics.get(topic);
      if (one !== undefined) one.route = undefined;
    },
  };
}

function checkRoute(topic: string, route: Route): Route {
  if (route.servers.has(topic)) throw new ServerTopicError(`topic ${topic} is the name of a broker or its cluster`);
  if (route.brokers.length === 0) throw new RetryLater(`no broker has a writable queue for topic ${topic}`);
  return route;
}

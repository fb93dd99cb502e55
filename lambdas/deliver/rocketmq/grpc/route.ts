import v2, { type Broker, type MessageQueue } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import { RetryLater } from '../../../core/errors.ts';
import { javaHash } from '../remoting/queue.ts';

/** A proxy: the configured one, or the one that a route names for a broker. */
export interface Server {
  readonly name: string;
  /** 'host:port', with ',' between several addresses of one server. */
  readonly address: string;
}

/** The brokers that take messages of a topic, by their names. At least one. */
export type Route = readonly Server[];

const WRITABLE: ReadonlySet<number> = new Set([v2.Permission.WRITE, v2.Permission.READ_WRITE]);

/** @throws RetryLater when no queue is writable */
export function parseRoute(topic: string, queues: readonly MessageQueue[]): Route {
  const writable = queues.filter((queue) => WRITABLE.has(queue.getPermission()));
  const brokers = new Map(writable.map((queue) => [queue.getBroker()!.getName(), queue.getBroker()!]));
  if (brokers.size === 0) throw new RetryLater(`no queue of topic ${topic} is writable`);
  return [...brokers.keys()].sort().map((name) => ({ name, address: addressOf(brokers.get(name)!) }));
}

/**
 * Chooses a broker; its proxy chooses the queue. All messages of a group go to one broker. Messages without a group go to the
 * brokers by turns, except to those that are backed off, unless all are.
 *
 * @param group '' when there is none
 */
export function chooseBroker(
  route: Route,
  group = '',
  turn: number,
  isBackedOff: (address: string) => boolean,
): Server {
  if (group !== '') return route[Math.abs(javaHash(group) % route.length)]!;
  const preferred = route.filter(({ address }) => !isBackedOff(address));
  const candidates = preferred.length > 0 ? preferred : route;
  return candidates[turn % candidates.length]!;
}

export function addressOf(broker: Broker): string {
  const addresses = broker.getEndpoints()?.getAddressesList() ?? [];
  return addresses.map((address) => `${address.getHost()}:${address.getPort()}`).join(',');
}

import { parseAddress } from '../../../net/address.ts';
import { ProtocolError } from './errors.ts';

/** The topic whose route lists the brokers that create topics automatically, and the queues that they create. */
export const DEFAULT_TOPIC = 'TBW102';

/** The brokers of a topic. */
export interface Route {
  /** Masters with writable queues, sorted by name. */
  readonly brokers: readonly RouteBroker[];
  /** Names of the topic's brokers and their clusters: a broker uses topics of these names itself. */
  readonly servers: ReadonlySet<string>;
  /** Whether it is the default topic's route: then the first message creates the topic. */
  readonly isDefault: boolean;
}

export interface RouteBroker {
  readonly name: string;
  /** `host:port` */
  readonly address: string;
  /** Number of writable queues; their ids are 0 to one less. */
  readonly queues: number;
}

const MASTER = '0';
const WRITABLE = 2;
const READABLE = 4;

/** Reads a name server's answer about a topic. @throws ProtocolError */
export function parseRoute(text: string): Route {
  const { brokerDatas, queueDatas } = parseServerJson(text) as { brokerDatas?: unknown; queueDatas?: unknown };
  if (!Array.isArray(brokerDatas) || !Array.isArray(queueDatas))
    throw new ProtocolError('a route without brokerDatas and queueDatas');
  const masters = new Map<string, string>();
  const servers = new Set<string>();
  for (const broker of brokerDatas) {
    for (const name of [broker?.brokerName, broker?.cluster]) if (typeof name === 'string') servers.add(name);
    const address: unknown = broker?.brokerAddrs?.[MASTER];
    if (isAddress(address) && typeof broker.brokerName === 'string') masters.set(broker.brokerName, address);
  }
  const brokers: RouteBroker[] = [];
  for (const data of queueDatas) {
    const address = masters.get(data?.brokerName);
    const queues: unknown = data?.writeQueueNums;
    if (address === undefined || !Number.isSafeInteger(queues) || (queues as number) < 1) continue;
    if ((data.perm & WRITABLE) !== 0) brokers.push({ name: data.brokerName, address, queues: queues as number });
  }
  return { brokers: brokers.sort((a, b) => (a.name < b.name ? -1 : 1)), servers, isDefault: false };
}

/** A queue of a topic that consumers can read. */
export interface ReadableQueue {
  readonly broker: string;
  /** `host:port` of the master. */
  readonly address: string;
  readonly id: number;
}

/** Reads the readable queues from a name server's answer about a topic. @throws ProtocolError */
export function parseReadableQueues(text: string): readonly ReadableQueue[] {
  const { brokerDatas, queueDatas } = parseServerJson(text) as { brokerDatas?: unknown; queueDatas?: unknown };
  if (!Array.isArray(brokerDatas) || !Array.isArray(queueDatas))
    throw new ProtocolError('a route without brokerDatas and queueDatas');
  const masters = new Map(brokerDatas.map((broker) => [broker?.brokerName, broker?.brokerAddrs?.[MASTER]]));
  return queueDatas.flatMap(({ brokerName, readQueueNums, perm }) => {
    const address = masters.get(brokerName);
    if (!isAddress(address) || (perm & READABLE) === 0 || !(readQueueNums > 0)) return [];
    return Array.from({ length: readQueueNums }, (_, id) => ({ broker: brokerName, address, id }));
  });
}

/** Makes the route of a topic that does not exist yet. A broker creates at most as many queues as the default topic has. */
export function asDefaultRoute({ brokers, servers }: Route, maxQueues: number): Route {
  return {
    servers,
    brokers: brokers.map((broker) => ({ ...broker, queues: Math.min(broker.queues, maxQueues) })),
    isDefault: true,
  };
}

/** Reads the live masters from a name server's answer about its cluster. @throws ProtocolError */
export function parseCluster(text: string): Omit<RouteBroker, 'queues'>[] {
  const { brokerAddrTable } = parseServerJson(text) as { brokerAddrTable?: unknown };
  if (typeof brokerAddrTable !== 'object') throw new ProtocolError('a cluster without brokerAddrTable');
  return Object.entries(brokerAddrTable ?? {}).flatMap(([name, broker]) => {
    const address: unknown = broker?.brokerAddrs?.[MASTER];
    return isAddress(address) ? [{ name, address }] : [];
  });
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && parseAddress(value) !== undefined;
}

/** Servers that do not know the field `acceptStandardJsonOnly` write numbers as bare keys: `{0:"host:port"}`. */
function parseServerJson(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    try {
      value = JSON.parse(text.replace(/([{,])(\d+):/g, '$1"$2":'));
    } catch (error) {
      throw new ProtocolError('an answer that is not JSON', { cause: error });
    }
  }
  if (typeof value !== 'object' || value === null) throw new ProtocolError('an answer that is not a JSON object');
  return value;
}

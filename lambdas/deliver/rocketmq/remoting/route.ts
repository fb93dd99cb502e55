import { parseAddress } from '../../net/address.ts';
import { ProtocolError } from './errors.ts';

/** The topic whose route leads to the brokers that create topics by themselves, and how many queues they give them. */
export const DEFAULT_TOPIC = 'TBW102';

/** Where messages of a topic may be sent. */
export interface Route {
  /** Masters with writable queues, by name. */
  readonly brokers: readonly RouteBroker[];
  /** True when it is the default topic's route: the first message creates the topic. */
  readonly isDefault: boolean;
}

export interface RouteBroker {
  readonly name: string;
  /** 'host:port' */
  readonly address: string;
  /** Writable queues have the ids from 0 to one less. */
  readonly queues: number;
}

const MASTER = '0';
const WRITABLE = 2;

/** Reads a name server's answer about a topic. @throws ProtocolError */
export function parseRoute(text: string): Route {
  const { brokerDatas, queueDatas } = parseServerJson(text) as { brokerDatas?: unknown; queueDatas?: unknown };
  if (!Array.isArray(brokerDatas) || !Array.isArray(queueDatas))
    throw new ProtocolError('a route without brokerDatas and queueDatas');
  const masters = new Map<string, string>();
  for (const broker of brokerDatas) {
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
  return { brokers: brokers.sort((a, b) => (a.name < b.name ? -1 : 1)), isDefault: false };
}

/** The default topic's route, for a topic that does not exist yet: a broker makes no more queues than the default topic has. */
export function asDefaultRoute({ brokers }: Route, maxQueues: number): Route {
  return {
    brokers: brokers.map((broker) => ({ ...broker, queues: Math.min(broker.queues, maxQueues) })),
    isDefault: true,
  };
}

/** The live masters, from a name server's answer about its cluster. @throws ProtocolError */
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

/** Servers write maps with numbers as bare keys, `{0:"host:port"}`, unless they know the field that asks for JSON. */
function parseServerJson(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    try {
      value = JSON.parse(text.replace(/([{,])(\d+):/g, '$1"$2":'));
    } catch (error) {
      throw new ProtocolError('a name server’s answer that is not JSON', { cause: error });
    }
  }
  if (typeof value !== 'object' || value === null) throw new ProtocolError('a name server’s answer that is no object');
  return value;
}

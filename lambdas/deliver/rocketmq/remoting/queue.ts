import type { BrokerBackoff } from '../broker-backoff.ts';
import type { Route, RouteBroker } from './route.ts';

export interface Queue {
  readonly broker: string;
  /** `host:port` of the broker's master. */
  readonly address: string;
  readonly id: number;
}

/** Returns each queue of a route in turn. Queues of brokers that failed recently are used only if there are no others. */
export function roundRobin(backoff: Pick<BrokerBackoff, 'isBackedOff'>): (route: Route) => Queue {
  let turn = Math.floor(Math.random() * 0x1_0000);
  return ({ brokers }) => {
    const healthy = brokers.filter(({ address }) => !backoff.isBackedOff(address));
    const from = healthy.length > 0 ? healthy : brokers;
    turn = (turn + 1) % Number.MAX_SAFE_INTEGER;
    return queueAt(from, turn % total(from));
  };
}

/** Returns the queue of a message group, as RocketMQ's clients choose it (class SelectMessageQueueByHash). */
export function queueOfGroup({ brokers }: Route, group: string): Queue {
  return queueAt(brokers, Math.abs(javaHash(group) % total(brokers)));
}

/** `String.hashCode()` of Java. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}

function total(brokers: readonly RouteBroker[]): number {
  return brokers.reduce((sum, { queues }) => sum + queues, 0);
}

function queueAt(brokers: readonly RouteBroker[], index: number): Queue {
  let id = index;
  for (const { name, address, queues } of brokers) {
    if (id < queues) return { broker: name, address, id };
    id -= queues;
  }
  throw new RangeError(`queue ${index} of ${total(brokers)}`);
}

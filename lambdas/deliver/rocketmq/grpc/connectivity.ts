import type { Clock } from '../../net/clock.ts';
import type { Connectivity } from '../producer.ts';
import type { Client } from './client.ts';
import { NoAnswerError } from './errors.ts';

/** Asks the proxy for the topic's route, and each server on it whether it lives and knows us; without a topic, the proxy itself. */
export async function testConnectivity(client: Client, topic: string | undefined, clock: Clock): Promise<Connectivity> {
  const brokers: Connectivity['brokers'][number][] = [];
  const away: Connectivity['away'][number][] = [];
  const servers = topic === undefined ? [client.proxy] : await client.route(topic);
  for (const { name, endpoints } of servers) {
    const address = endpoints.facade;
    const startedAt = clock.monotonicMs();
    try {
      await client.beat(endpoints);
      brokers.push({ name, address, latencyMs: clock.monotonicMs() - startedAt });
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      away.push({ name, address, error });
    }
  }
  if (brokers.length === 0) throw away[0]?.error ?? new Error('no broker takes messages for it');
  return { brokers, away };
}

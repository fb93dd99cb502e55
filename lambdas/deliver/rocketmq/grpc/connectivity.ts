import type { Clock } from '../../../net/clock.ts';
import type { Deadline } from '../../../net/deadline.ts';
import type { Connectivity } from '../producer.ts';
import type { Client } from './client.ts';
import { NoAnswerError } from './errors.ts';

/**
 * Queries the route of a topic, and sends a heartbeat to each server on it; without a topic, to the proxy alone.
 *
 * @throws what the client throws, when a server refuses or none answers
 */
export async function testConnectivity(
  client: Client,
  topic: string | undefined,
  deadline: Deadline,
  clock: Clock,
): Promise<Connectivity> {
  const brokers: Connectivity['brokers'][number][] = [];
  const away: Connectivity['away'][number][] = [];
  const route = topic === undefined ? [client.proxy] : await client.route(topic, deadline);
  // Brokers may share a proxy.
  const servers = new Map(route.map((server) => [server.address, server]));
  for (const server of servers.values()) {
    const startedAt = clock.monotonicMs();
    try {
      await client.heartbeat(server, topic, deadline);
      brokers.push({ ...server, latencyMs: clock.monotonicMs() - startedAt });
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      away.push({ ...server, error });
    }
  }
  if (brokers.length === 0) throw away[0]!.error;
  return { brokers, away };
}

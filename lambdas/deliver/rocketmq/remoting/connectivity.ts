import type { Clock } from '../../../net/clock.ts';
import type { Deadline } from '../../../net/deadline.ts';
import type { Connectivity } from '../producer.ts';
import { classify, type Verdict } from './classify.ts';
import { requestCodes } from './command.ts';
import { NoAnswerError } from './errors.ts';
import type { NameServers } from './name-servers.ts';
import { parseCluster } from './route.ts';
import type { Sender } from './sender.ts';

export interface ConnectivityContext {
  readonly topic: string | undefined;
  /** Whether a broker may create the topic. */
  readonly mayCreate: boolean;
  readonly sender: Sender;
  readonly nameServers: NameServers;
  readonly producerGroup: string;
  readonly clock: Clock;
}

/** @throws RetryLater, NeverRetry, StopTask when a broker refuses, or none answers. */
export async function testConnectivity(
  { topic, mayCreate, sender, nameServers, producerGroup, clock }: ConnectivityContext,
  deadline: Deadline,
): Promise<Connectivity> {
  const brokers: Connectivity['brokers'][number][] = [];
  const away: Connectivity['away'][number][] = [];
  try {
    for (const { name, address } of topic === undefined
      ? await liveBrokers()
      : (await sender.route(topic, mayCreate, deadline)).brokers) {
      const startedAt = clock.monotonicMs();
      try {
        await (topic === undefined ? heartbeat(address) : sender.probe(topic, address, deadline));
        brokers.push({ name, address, latencyMs: clock.monotonicMs() - startedAt });
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        away.push({ name, address, error });
      }
    }
  } catch (error) {
    throw verdict(error);
  }
  if (brokers.length === 0) throw verdict(away[0]?.error ?? new Error('no broker is registered'));
  return { brokers, away };

  async function liveBrokers() {
    const { answer } = await nameServers.query({ code: requestCodes.getBrokerClusterInfo, fields: {} }, deadline);
    return parseCluster(answer.body.toString('utf8'));
  }

  function heartbeat(address: string) {
    const producer = { clientID: producerGroup, producerDataSet: [{ groupName: producerGroup }], consumerDataSet: [] };
    const body = Buffer.from(JSON.stringify(producer));
    return sender.request(address, { code: requestCodes.heartBeat, fields: {}, body }, deadline);
  }

  function verdict(error: unknown): Verdict {
    const operation = `connectivity test${topic === undefined ? '' : ` of topic ${topic}`}`;
    return classify(error, { operation, topic: topic ?? '', isTopicRendered: false, isMaybeStored: false });
  }
}

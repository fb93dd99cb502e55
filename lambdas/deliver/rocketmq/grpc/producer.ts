import type { MessageOptions } from 'rocketmq-client-nodejs';
import { type Deadline, deadlineIn } from '../../net/deadline.ts';
import { orderedDelivery } from '../../ordered.ts';
import { checkTopic, orderKey, type RocketMqRequest } from '../message.ts';
import type { Producer } from '../producer.ts';
import { within } from './calls.ts';
import { classify, type FailedCall, isCredentialsRefusal } from './classify.ts';
import { type Client, openClient } from './client.ts';
import { type Clients, openClients } from './clients.ts';
import { testConnectivity } from './connectivity.ts';
import { toClientMessage } from './message.ts';
import { type GrpcProducerOptions, withDefaults } from './options.ts';
import { openRecent } from './recent.ts';

export type { GrpcProducerOptions } from './options.ts';

/** So long after a delivery, a topic that is missing is one that its servers have yet to find again. */
const KNOWN_MS = 60_000;

/**
 * Sends messages to RocketMQ 5 through its proxies by gRPC, each by itself: Apache's own client, `rocketmq-client-nodejs`. A
 * message that timed out may be stored: at least once, so duplicates are possible, and have the same keys.
 *
 * @throws InvalidOptionError
 */
export function openGrpcProducer(options: GrpcProducerOptions): Producer {
  const { endpoints, credentials, tls, namespace, timeoutMs, maxInFlight, maxMessageBytes, clock } =
    withDefaults(options);
  const clients = openClients({
    endpoints,
    credentials,
    open: (endpoint, known) => openClient({ endpoint, credentials: known, namespace, tls, timeoutMs }),
    clock,
  });
  const delivered = openRecent(KNOWN_MS, clock);

  const deliver = orderedDelivery<RocketMqRequest>({
    orderKey: ({ topic, message }, order) => orderKey(topic, message.group, order),
    maxConcurrency: maxInFlight,
    async send([request], leftMs) {
      const { topic, isTopicRendered, isTypeRendered, message } = request!;
      const isPlain = message.group === undefined && message.deliverAtMs === undefined;
      try {
        checkTopic(topic, isTopicRendered);
        const prepared = toClientMessage(topic, message, maxMessageBytes);
        const receipt = await store(clients, prepared, deadlineIn(Math.min(timeoutMs, leftMs), clock));
        delivered.add(topic);
        return [{ status: 'delivered', receipt }];
      } catch (error) {
        throw classify(error, {
          topic,
          isTopicRendered,
          isTypeRendered: isTypeRendered && isPlain,
          isTopicKnown: delivered.has(topic),
        });
      }
    },
  });

  return {
    deliver,
    async testConnectivity(topic) {
      const failed: FailedCall = {
        operation: `connectivity test${topic === undefined ? '' : ` of topic ${topic}`}`,
        topic: topic ?? '',
        isTopicRendered: false,
      };
      try {
        return await use(clients, deadlineIn(timeoutMs, clock), (client) => testConnectivity(client, topic, clock));
      } catch (error) {
        throw classify(error, failed);
      }
    },
    close: () => clients.close(),
  };
}

function store(clients: Clients, message: MessageOptions, deadline: Deadline): Promise<string> {
  return use(clients, deadline, (client) => client.send(message));
}

/** Once more with other credentials where those that it had were refused: then it has done nothing. */
async function use<Result>(
  clients: Clients,
  deadline: Deadline,
  run: (client: Client) => Promise<Result>,
  isSecond = false,
): Promise<Result> {
  const held = await clients.acquire();
  try {
    const result = await within.run(deadline, () => run(held.client));
    held.release();
    return result;
  } catch (error) {
    held.release(error);
    if (isSecond || !isCredentialsRefusal(error) || !(await held.renew())) throw error;
  }
  return use(clients, deadline, run, true);
}

import { deadlineIn } from '../../../net/deadline.ts';
import { orderedDelivery } from '../../ordered.ts';
import { checkTopic, orderKey, type RocketMqRequest } from '../message.ts';
import type { Producer } from '../producer.ts';
import { classify, type FailedCall } from './classify.ts';
import { openClient } from './client.ts';
import { openClients } from './clients.ts';
import { testConnectivity } from './connectivity.ts';
import { toProtocolMessage } from './message.ts';
import { messageIds } from './message-id.ts';
import { type GrpcProducerOptions, withDefaults } from './options.ts';
import { openTtlSet } from './ttl-set.ts';

export type { GrpcProducerOptions } from './options.ts';

/** For this long after a delivery, a missing topic is retried: proxies that restart find it again. */
const KNOWN_MS = 60_000;

/**
 * Sends messages to RocketMQ 5 through its proxies, by gRPC, one message a call. A message that timed out may be stored:
 * delivery is at least once, and duplicates have the same keys.
 *
 * @throws InvalidOptionError
 */
export function openGrpcProducer(options: GrpcProducerOptions): Producer {
  const { endpoints, credentials, tls, namespace, timeoutMs, maxInFlight, maxMessageBytes, clock } =
    withDefaults(options);
  const clients = openClients({
    endpoints,
    credentials,
    open: (endpoint, known) => openClient({ endpoint, credentials: known, namespace, tls, timeoutMs, clock }),
    clock,
  });
  const delivered = openTtlSet(KNOWN_MS, clock);
  const nextId = messageIds();

  const deliver = orderedDelivery<RocketMqRequest>({
    orderKey: ({ topic, message }, order) => orderKey(topic, message.group, order),
    maxConcurrency: maxInFlight,
    async send([request], leftMs) {
      const { topic, isTopicRendered, isTypeRendered, message } = request!;
      try {
        checkTopic(topic, isTopicRendered);
        const prepared = toProtocolMessage(topic, message, { id: nextId(), namespace, maxMessageBytes });
        const deadline = deadlineIn(Math.min(timeoutMs, leftMs), clock);
        const receipt = await clients.use((client) => client.send(prepared, deadline));
        delivered.add(topic);
        return [{ status: 'delivered', receipt }];
      } catch (error) {
        throw classify(error, {
          topic,
          isTopicRendered,
          isTypeRendered,
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
        const deadline = deadlineIn(timeoutMs, clock);
        return await clients.use((client) => testConnectivity(client, topic, deadline, clock));
      } catch (error) {
        throw classify(error, failed);
      }
    },
    close: () => clients.close(),
  };
}

import { deadlineIn } from '../../../net/deadline.ts';
import { type Failure, failure } from '../../outcome.ts';
import { openBrokerBackoff } from '../broker-backoff.ts';
import { checkTopic, type RocketMqRequest } from '../message.ts';
import type { Producer } from '../producer.ts';
import { testConnectivity } from './connectivity.ts';
import { type Outgoing, openDelivery } from './delivery.ts';
import { messageIds } from './message-id.ts';
import { openNameServers } from './name-servers.ts';
import { type ProducerOptions, withDefaults } from './options.ts';
import { openPool } from './pool.ts';
import { type PreparedMessage, prepareMessage } from './prepared-message.ts';
import { openRoutes } from './routes.ts';
import { openSender } from './sender.ts';
import { openSigner } from './signer.ts';
import type { Sent } from './stored.ts';

/**
 * Opens a producer for RocketMQ 4 and 5 that speaks the remoting protocol: through name servers, to brokers. Messages of a
 * group are stored in their order; behind one that failed, the others of the group are left unsent.
 *
 * @throws InvalidOptionError
 */
export function openProducer(options: ProducerOptions): Producer<Sent> {
  const all = withDefaults(options);
  const { namespace, timeoutMs, maxMessageBytes, defaultTopicQueueNums, clock } = all;
  const producerGroup = inNamespace(all.producerGroup, namespace);
  const backoff = openBrokerBackoff(all.backoffMs, clock);
  const pool = openPool(all);
  const nameServers = openNameServers({ addresses: all.nameServers, pool, backoff, clock });
  const routes = openRoutes({ ...all, nameServers, refreshMs: all.refreshTopicRouteIntervalMs, onLeft: pool.replace });
  const signer = openSigner(all.credentials, clock);
  const sender = openSender({ pool, routes, signer, backoff, producerGroup, defaultTopicQueueNums, clock });
  const deliver = openDelivery({ ...all, sender });
  const nextId = messageIds(clock);

  function outgoing({ topic: name, isTopicRendered, message }: RocketMqRequest): Outgoing {
    const topic = inNamespace(name, namespace);
    return { topic, isTopicRendered, group: message.group, message: prepared(topic, isTopicRendered, message) };
  }

  function prepared(
    topic: string,
    isTopicRendered: boolean,
    message: RocketMqRequest['message'],
  ): PreparedMessage | Failure {
    try {
      checkTopic(topic, isTopicRendered);
      return prepareMessage(message, nextId(), maxMessageBytes);
    } catch (error) {
      return failure(error);
    }
  }

  return {
    deliver: (requests, context) => deliver(requests.map(outgoing), context),
    testConnectivity(name) {
      const topic = name === undefined ? undefined : inNamespace(name, namespace);
      const deadline = deadlineIn(timeoutMs, clock);
      return testConnectivity(
        { topic, mayCreate: all.autoCreateTopics ?? true, sender, nameServers, producerGroup, clock },
        deadline,
      );
    },
    close: () => pool.close(),
  };
}

/** Topics and groups of an instance carry its id. */
function inNamespace(name: string, namespace: string | undefined): string {
  return namespace === undefined || name.startsWith(`${namespace}%`) ? name : `${namespace}%${name}`;
}

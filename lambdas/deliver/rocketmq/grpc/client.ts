import { randomInt, randomUUID } from 'node:crypto';
import { isIPv4 } from 'node:net';
import v2, { type Endpoints, type Message } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import v2Service from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import { parseAddress } from '../../../net/address.ts';
import type { Clock } from '../../../net/clock.ts';
import type { Deadline } from '../../../net/deadline.ts';
import { openBrokerBackoff } from '../broker-backoff.ts';
import { tooLarge } from '../message.ts';
import { type CallsOptions, openCalls } from './calls.ts';
import { isRouteAtFault } from './classify.ts';
import { checkStatus, NoAnswerError, RefusedError } from './errors.ts';
import { chooseBroker, parseRoute, type Route, type Server } from './route.ts';
import { checkStored } from './stored.ts';
import { openTelemetry, type Telemetry } from './telemetry.ts';

/** A client of one proxy, with one set of credentials. Its promises reject with NoAnswerError, RefusedError or a verdict. */
export interface Client extends Pick<Telemetry, 'heartbeat'> {
  readonly proxy: Server;
  /** Sends a message once. @returns its id. */
  send(message: Message, deadline: Deadline): Promise<string>;
  /** Queries the route of a topic anew. */
  route(topic: string, deadline: Deadline): Promise<Route>;
  /** Ends calls, streams and connections. */
  close(): void;
}

export interface ClientOptions extends Omit<CallsOptions, 'clientId'> {
  /** 'host:port', without IPv6 */
  readonly endpoint: string;
  /** Of heartbeats in the background, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** For how long a broker that did not answer is tried last. */
const BACKOFF_MS = 30_000;

/** Opens a client. It connects with its first call. */
export function openClient({ endpoint, timeoutMs, clock, ...options }: ClientOptions): Client {
  const { namespace } = options;
  const proxy: Server = { name: 'proxy', address: endpoint };
  const accessPoint = endpointsOf(endpoint);
  const calls = openCalls({ ...options, clientId: `outflow@${randomUUID()}` });
  const telemetry = openTelemetry({ calls, accessPoint, namespace, timeoutMs, clock });
  const backoff = openBrokerBackoff(BACKOFF_MS, clock);
  const routes = new Map<string, Promise<Route>>();
  let turn = randomInt(1_000);

  async function route(topic: string, deadline: Deadline): Promise<Route> {
    const request = new v2Service.QueryRouteRequest()
      .setTopic(new v2.Resource().setName(topic).setResourceNamespace(namespace))
      .setEndpoints(accessPoint);
    const response = await calls.queryRoute(proxy, request, deadline);
    checkStatus(endpoint, response.getStatus());
    const brokers = parseRoute(topic, response.getMessageQueuesList());
    // A broker has a topic of its own name, which it uses itself.
    if (brokers.some(({ name }) => name === topic))
      throw new RefusedError(endpoint, v2.Code.ILLEGAL_TOPIC, `topic ${topic} is the name of a broker`);
    return brokers;
  }

  return {
    proxy,
    route,
    heartbeat: telemetry.heartbeat,
    async send(message, deadline) {
      const bytes = message.getBody_asU8().length;
      if (bytes > telemetry.maxBodyBytes) throw tooLarge(bytes, telemetry.maxBodyBytes);
      const topic = message.getTopic()!.getName();
      const group = message.getSystemProperties()!.getMessageGroup();
      const queried = routes.get(topic) ?? route(topic, deadline);
      routes.set(topic, queried);
      let broker: Server | undefined;
      try {
        broker = chooseBroker(await queried, group, turn++, backoff.isBackedOff);
        telemetry.refresh(broker, topic);
        const request = new v2Service.SendMessageRequest().setMessagesList([message]);
        const id = checkStored(broker.address, message, await calls.sendMessage(broker, request, deadline));
        backoff.recovered(broker.address);
        return id;
      } catch (error) {
        if (broker === undefined || isRouteAtFault(error)) routes.delete(topic);
        else if (error instanceof NoAnswerError) backoff.failed(broker.address);
        throw error;
      }
    },
    close: calls.close,
  };
}

export function endpointsOf(address: string): Endpoints {
  const { host, port } = parseAddress(address)!;
  return new v2.Endpoints()
    .setScheme(isIPv4(host) ? v2.AddressScheme.IPV4 : v2.AddressScheme.DOMAIN_NAME)
    .setAddressesList([new v2.Address().setHost(host).setPort(port)]);
}

import { randomBytes } from 'node:crypto';
import type { Resolved } from '../../core/deploy-time.ts';
import { StopTask, show } from '../../core/errors.ts';
import { isRendered } from '../../core/jsonpath/expression.ts';
import { type Clock, systemClock } from '../../net/clock.ts';
import { type Deadline, deadlineIn } from '../../net/deadline.ts';
import { dial } from '../../net/dial.ts';
import { type Client, clientIds, openClient } from '../../net/mqtt/client.ts';
import { CA_SECRET_ARN } from '../../net/mqtt/options.ts';
import { parseServer } from '../../net/mqtt/server.ts';
import { secretReader } from '../../net/secrets.ts';
import { isTlsFailure } from '../../net/tls.ts';
import { rotatingAuthorities } from '../ca-rotation.ts';
import { orderedDelivery } from '../ordered.ts';
import type { Sink, SinkEnvironment } from '../sink.ts';
import { connectVerdict, publishVerdict } from './classify.ts';
import { type MqttOptions, TOPIC } from './config.ts';
import { delivery } from './delivery.ts';
import type { MqttRequest } from './message.ts';
import { openPool } from './pool.ts';
import { openSlot } from './slot.ts';
import { type MqttSink, staticClientIdsSink } from './static-client-ids.ts';

/** A broker sends nothing large to a client that subscribes to nothing. */
const MAX_PACKET_BYTES = 65_536;

/** Publishes to an MQTT broker. The connections of its pool stay open for as long as the sandbox lives. */
export function openMqtt(options: Resolved<MqttOptions>, environment: SinkEnvironment): Sink<MqttRequest> {
  const readSecret = secretReader(environment);
  const { env, log } = environment;
  const clock = systemClock;
  const openOne = (ca: string | undefined, staticClientId?: string) => {
    const one = staticClientId === undefined ? {} : { staticClientId };
    const setup = { clock, ...one, ...(log && { log }) };
    return mqttSink(options, () => openClient({ options, ca, env, readSecret, clock, ...one }), setup);
  };
  const { staticClientIds } = options;
  const open = (ca: string | undefined) =>
    staticClientIds === undefined
      ? openOne(ca)
      : staticClientIdsSink({
          clientIds: staticClientIds,
          open: (clientId) => openOne(ca, clientId),
          testReach: () => testReach(options, ca),
        });
  const authorities = env[CA_SECRET_ARN];
  if (authorities === undefined) return open(options.ca);
  return rotatingAuthorities({ readAuthorities: () => readSecret(authorities), open, isTlsFailure });
}

export interface MqttSinkSetup {
  readonly clock: Clock;
  /** @default - nothing is logged */
  readonly log?: (entry: object) => void;
  /** The one client id of a sink without a pool. @default - ids that no other sandbox has */
  readonly staticClientId?: string;
}

export function mqttSink(
  options: Resolved<MqttOptions>,
  open: () => Client,
  { clock, log = () => {}, staticClientId }: MqttSinkSetup,
): MqttSink {
  const { inflightWindow, publishTimeoutMs, topic } = options;
  const poolSize = staticClientId === undefined ? options.poolSize : 1;
  let client: Client | undefined;
  let isClosed = false;
  // Two sandboxes never have the same client ids.
  const drawn = clientIds(options, randomBytes(4).toString('hex'));
  const connect = (number: number, deadline: Deadline) => {
    client ??= open();
    return client.connect(
      { clientId: staticClientId ?? drawn(number), clean: true, maxPacketBytes: MAX_PACKET_BYTES },
      deadline,
    );
  };
  const slots = Array.from({ length: poolSize }, (_, index) =>
    openSlot({
      address: options.server,
      connect: (deadline) => connect(index + 1, deadline),
      inflightWindow,
      clock,
    }),
  );
  const pool = openPool(slots, log);

  const deliverOne = delivery({ pool, publishTimeoutMs, isClosed: () => isClosed });

  /**
   * A broker keeps the order of the messages of one connection, so that those of one topic share one. Relaxed order does not wait for
   * their acknowledgements.
   */
  const inOrder = (isOrdered: boolean) =>
    orderedDelivery<MqttRequest>({
      orderKey: ({ topic }, order) => (order === 'strict' ? topic : undefined),
      maxConcurrency: inflightWindow * poolSize,
      async send([one], leftMs) {
        const request = one!;
        try {
          // A name that was unknown until deployment.
          if (!request.isTopicRendered && !TOPIC.isMet(request.topic)) throw wrongTopic(request.topic);
          return [await deliverOne(request, isOrdered ? request.topic : undefined, deadlineIn(leftMs, clock))];
        } catch (error) {
          throw publishVerdict(error, request, options.server);
        }
      },
    });
  const unordered = inOrder(false);
  const ordered = inOrder(true);

  return {
    deliver: (requests, context) => (context.order === undefined ? unordered : ordered)(requests, context),
    async testConnectivity(topics = [topic]) {
      for (const name of topics) if (!isRendered(name) && !TOPIC.isMet(name)) throw wrongTopic(name);
      const startedAtMs = clock.monotonicMs();
      try {
        const deadline = deadlineIn(options.connectTimeoutMs, clock);
        await pool.slot().use(deadline, (connection) => connection.ping(deadline.leftMs()));
      } catch (error) {
        throw connectVerdict(error, options.server);
      }
      return `connector available: ${options.server} answers in ${Math.ceil(clock.monotonicMs() - startedAtMs)} ms`;
    },
    async disconnect() {
      await Promise.all(slots.map((slot) => slot.retire()));
    },
    close() {
      isClosed = true;
      pool.close();
    },
  };
}

/** Opens a socket and closes it. */
async function testReach(options: Resolved<MqttOptions>, ca: string | undefined): Promise<string> {
  const server = parseServer(options.server);
  if (typeof server === 'string') throw new StopTask(`server: got ${show(options.server)}; expected ${server}`);
  const tls = server.isTls && {
    ...(ca !== undefined && { ca }),
    ...(options.serverName !== undefined && { servername: options.serverName }),
  };
  try {
    (await dial(server.address, tls, options.connectTimeoutMs)).destroy();
  } catch (error) {
    throw connectVerdict(error, options.server);
  }
  return `${options.server} accepts connections; static client ids are left to the batches`;
}

function wrongTopic(topic: string): StopTask {
  return new StopTask(`topic: got ${show(topic)}; expected ${TOPIC.expected}`);
}

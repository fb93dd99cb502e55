import { randomBytes } from 'node:crypto';
import type { Resolved } from '../../core/deploy-time.ts';
import { StopTask, show } from '../../core/errors.ts';
import { isRendered } from '../../core/jsonpath/expression.ts';
import { type Clock, systemClock } from '../../net/clock.ts';
import { type Deadline, deadlineIn } from '../../net/deadline.ts';
import { dial } from '../../net/dial.ts';
import { type Client, clientIds, openClient } from '../../net/mqtt/client.ts';
import type { MqttConnection } from '../../net/mqtt/connection.ts';
import { ConnectionClosedError } from '../../net/mqtt/errors.ts';
import { CA_SECRET_ARN, CLIENT_CERTIFICATE_SECRET_ARN, CREDENTIALS_SECRET_ARN } from '../../net/mqtt/options.ts';
import { FIRST_FAILURE, reasonCodes, reasonText } from '../../net/mqtt/reason-codes.ts';
import { parseServer } from '../../net/mqtt/server.ts';
import { secretReader } from '../../net/secrets.ts';
import { isTlsFailure } from '../../net/tls.ts';
import { rotatingAuthorities } from '../ca-rotation.ts';
import { orderedDelivery } from '../ordered.ts';
import type { Outcome, Sink, SinkEnvironment } from '../sink.ts';
import { acknowledgementVerdict, connectVerdict, publishVerdict, refusedAloneVerdict } from './classify.ts';
import { type MqttOptions, TOPIC } from './config.ts';
import type { MqttRequest } from './message.ts';
import { openPool } from './pool.ts';
import { publicationOf } from './publication.ts';
import { openSlot, type Slot } from './slot.ts';
import { type MqttSink, staticClientIdsSink } from './static-client-ids.ts';

/** Publishes to an MQTT broker. The connections of its pool stay open for as long as the sandbox lives. */
export function openMqtt(options: Resolved<MqttOptions>, environment: SinkEnvironment): Sink<MqttRequest> {
  const readSecret = secretReader(environment);
  const { env } = environment;
  const secrets = { credentials: env[CREDENTIALS_SECRET_ARN], clientCertificate: env[CLIENT_CERTIFICATE_SECRET_ARN] };
  const clock = systemClock;
  const openOne = (ca: string | undefined, staticClientId?: string) => {
    const one = staticClientId === undefined ? {} : { staticClientId };
    return mqttSink(options, () => openClient({ options, ca, secrets, readSecret, clock, ...one }), { clock, ...one });
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
    return client.connect({ clientId: staticClientId ?? drawn(number), clean: true }, deadline);
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

  async function deliverOne(request: MqttRequest, slotKey: string | undefined, deadline: Deadline): Promise<Outcome> {
    for (;;) {
      const slot = pool.slot(slotKey);
      try {
        return outcomeOf(await slot.use(deadline, publish), request);
      } catch (error) {
        if (isClosed || deadline.leftMs() === 0) throw error;
        if (!(error instanceof ConnectionClosedError)) {
          if (pool.refused(slot, error)) continue;
          throw error;
        }
        // The broker answered for the message that made it close the connection; this one was in flight beside it.
        if (error.isExplained) continue;
        return outcomeOf(await deliverAlone(slot), request);
      }
    }

    function publish(connection: MqttConnection): Promise<number> {
      const publication = publicationOf(request, connection.connack);
      return connection.publish(publication, Math.min(publishTimeoutMs, deadline.leftMs()));
    }

    /**
     * A broker that stops closes the connection, and so does one that refuses a message in MQTT 3.1.1. The messages that were in flight
     * are published once more, each alone: a second time with the same end, it is the message.
     */
    async function deliverAlone(slot: Slot): Promise<number> {
      let ended: ConnectionClosedError | undefined;
      for (let attempt = 0; attempt < 2; attempt++) {
        try {
          return await slot.useAlone(deadline, publish);
        } catch (error) {
          if (!(error instanceof ConnectionClosedError) || isClosed) throw error;
          ended = error;
        }
      }
      throw refusedAloneVerdict(ended!, request);
    }
  }

  /**
   * A broker keeps the order of the messages of one connection, so that those of one topic share one. Relaxed order does not wait for
   * their acknowledgements.
   */
  const delivery = (isOrdered: boolean) =>
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
  const unordered = delivery(false);
  const ordered = delivery(true);

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

function outcomeOf(code: number, request: MqttRequest): Outcome {
  if (code >= FIRST_FAILURE) throw acknowledgementVerdict(code, request);
  if (code === reasonCodes.noMatchingSubscribers) return { status: 'delivered', receipt: reasonText(code) };
  return { status: 'delivered' };
}

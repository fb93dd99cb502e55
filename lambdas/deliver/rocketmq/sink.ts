import type { Resolved } from '../../core/deploy-time.ts';
import { InvalidOptionError, StopTask, show } from '../../core/errors.ts';
import { isRendered } from '../../core/jsonpath/expression.ts';
import { type ReadSecret, secretReader } from '../net/secrets.ts';
import { isTlsFailure } from '../net/tls.ts';
import type { DeliverContext, Outcome, Sink, SinkEnvironment } from '../sink.ts';
import {
  BATCH_SIZE,
  CA_SECRET_ARN,
  CREDENTIALS_SECRET_ARN,
  IN_FLIGHT_BY_PROXIES,
  type RocketMqOptions,
} from './config.ts';
import { parseCredentials } from './credentials.ts';
import { isTlsFailure as isTlsFailureByProxy } from './grpc/classify.ts';
import type { SinkProducer } from './producer.ts';
import { type Connectivity, openProducer, type ProducerOptions } from './remoting/producer.ts';
import type { RocketMqRequest } from './render.ts';
import { topicRule } from './rules.ts';
import { openTrusting } from './trust.ts';

/** Delivers to RocketMQ: by name servers in batches of a topic, by proxies message by message. One producer serves all topics for as long as the sandbox lives. */
export function openRocketMq(options: Resolved<RocketMqOptions>, environment: SinkEnvironment): Sink<RocketMqRequest> {
  return rocketMqSink(options, () => connect(options, environment));
}

export function rocketMqSink(
  options: Resolved<RocketMqOptions>,
  connect: () => Promise<SinkProducer>,
): Sink<RocketMqRequest> {
  const isByProxies = options.endpoints !== undefined;
  const batchSize = options.batchSize ?? BATCH_SIZE;
  const inFlight = options.inflightWindow ?? IN_FLIGHT_BY_PROXIES;
  const { isMet: isTopic, expected: expectedTopic } = topicRule(options.namespace);
  let connecting: Promise<SinkProducer> | undefined;

  // Only a name that the deployment knew comes so far: others are judged at synth, or when they are rendered.
  function unusableTopic(topic: string): StopTask | undefined {
    return isTopic(topic) ? undefined : new StopTask(`topic: got ${show(topic)}; expected ${expectedTopic}`);
  }

  function producer(): Promise<SinkProducer> {
    if (connecting === undefined) {
      const started = connect();
      connecting = started;
      started.catch(() => {
        if (connecting === started) connecting = undefined;
      });
    }
    return connecting;
  }

  return {
    async deliver(requests, { remainingMs, order }: DeliverContext) {
      const outcomes: Outcome[] = new Array(requests.length);
      const { send } = await producer();
      // What is a batch here may become several requests, by its bytes and for delayed messages.
      const isOrdered = order !== undefined;
      const sendAll = async (indices: readonly number[]) => {
        await Promise.all(
          byTopic(requests, indices).map(async ([topic, own]) => {
            const unusable = unusableTopic(topic);
            if (unusable !== undefined) {
              for (const i of own) outcomes[i] = { status: 'stop', error: unusable };
              return;
            }
            const messages = own.map((i) => requests[i]!.message);
            // With routes, some may have it from a template and some from the task itself, which then stops the task for all.
            const isTopicRendered = own.every((i) => requests[i]!.isTopicRendered);
            const isTypeRendered = own.every((i) => requests[i]!.isTypeRendered);
            const sent = await send(topic, messages, { remainingMs, isTopicRendered, isTypeRendered, isOrdered });
            own.forEach((i, n) => {
              outcomes[i] = sent[n]!;
            });
          }),
        );
      };
      /** One batch after the other, and none after one of which something is left over. */
      const sendInTurn = async (indices: readonly number[], size: number) => {
        for (let at = 0; at < indices.length; at += size) {
          const batch = indices.slice(at, at + size);
          await sendAll(batch);
          if (!batch.every((i) => mayFollow(outcomes[i]!))) return;
        }
      };

      const all = [...requests.keys()];
      if (order === undefined) await sendAll(all);
      else if (order === 'relaxed') await sendInTurn(all, isByProxies ? inFlight : batchSize);
      else {
        // The producer keeps the order within a group by itself; without one, the topic is what has an order.
        const isGrouped = (i: number) => requests[i]!.message.group !== undefined;
        const ungrouped = byTopic(
          requests,
          all.filter((i) => !isGrouped(i)),
        );
        const size = isByProxies ? 1 : batchSize;
        await Promise.all([sendAll(all.filter(isGrouped)), ...ungrouped.map(([, own]) => sendInTurn(own, size))]);
      }
      for (const i of all) outcomes[i] ??= { status: 'unsent' };
      return outcomes;
    },
    async testConnectivity(topics = [options.topic]) {
      const { testConnectivity } = await producer();
      const found: string[] = [];
      for (const topic of topics) {
        const unusable = isRendered(topic) ? undefined : unusableTopic(topic);
        if (unusable !== undefined) throw unusable;
        found.push(
          isRendered(topic)
            ? described(await testConnectivity(), `topics named by ${topic}`)
            : described(await testConnectivity(topic), topic),
        );
      }
      return found.join('; ');
    },
    async close() {
      // What never came about needs no closing, and whoever asked for it has been told.
      const opened = await connecting?.catch(() => undefined);
      opened?.close();
    },
  };
}

function connect(options: Resolved<RocketMqOptions>, environment: SinkEnvironment): Promise<SinkProducer> {
  const readSecret = secretReader(environment);
  const authority = environment.env[CA_SECRET_ARN];
  const open = (ca: string | undefined) => openWith(ca, options, environment.env[CREDENTIALS_SECRET_ARN], readSecret);
  if (authority === undefined) return open(options.ca);
  return openTrusting({
    readAuthority: () => readSecret(authority),
    open,
    isTlsFailure: options.endpoints === undefined ? isTlsFailure : isTlsFailureByProxy,
  });
}

/** @param secret Where credentials are. */
async function openWith(
  ca: string | undefined,
  options: Resolved<RocketMqOptions>,
  secret: string | undefined,
  readSecret: ReadSecret,
): Promise<SinkProducer> {
  const { nameServers, endpoints, namespace, syncTimeoutMs: timeoutMs, maxMessageBytes } = options;
  const both = {
    tls: options.tls && (ca === undefined ? {} : { ca }),
    ...(secret !== undefined && { credentials: async () => parseCredentials(await readSecret(secret), secret) }),
    ...(namespace !== undefined && { namespace }),
    timeoutMs,
    maxMessageBytes,
  };
  try {
    if (endpoints === undefined) return openRemoting(both, nameServers!, options);
    // Loaded when it is needed: it takes longer than all the rest of a worker.
    const { openGrpcProducer } = await import('./grpc/producer.ts');
    return openGrpcProducer({
      ...both,
      endpoints: endpoints.split(';'),
      maxInFlight: options.inflightWindow ?? IN_FLIGHT_BY_PROXIES,
    });
  } catch (cause) {
    // An address that only the deployment knew.
    if (cause instanceof InvalidOptionError) throw new StopTask(cause.message, { cause });
    throw cause;
  }
}

function openRemoting(
  both: Omit<ProducerOptions, 'nameServers'>,
  nameServers: string,
  { produce, inflightWindow = 16, batchSize = BATCH_SIZE, ...options }: Resolved<RocketMqOptions>,
): SinkProducer {
  return openProducer({
    ...both,
    nameServers: nameServers.split(';'),
    refreshTopicRouteIntervalMs: options.refreshTopicRouteIntervalMs ?? 5_000,
    maxInFlight: produce === 'async' ? inflightWindow : 1,
    maxBatchMessages: batchSize,
    autoCreateTopics: options.autoCreateTopics ?? true,
  });
}

function byTopic(requests: readonly RocketMqRequest[], indices: readonly number[]): [topic: string, own: number[]][] {
  const topics = new Map<string, number[]>();
  for (const i of indices) {
    const { topic } = requests[i]!;
    const own = topics.get(topic);
    if (own === undefined) topics.set(topic, [i]);
    else own.push(i);
  }
  return [...topics];
}

function mayFollow({ status }: Outcome): boolean {
  return status === 'delivered' || status === 'never';
}

function described({ brokers, away }: Connectivity, topic: string): string {
  const here = brokers.map(
    ({ name, address, latencyMs }) => `${name} (${address}) answers in ${Math.ceil(latencyMs)} ms`,
  );
  const gone = away.map(({ name, address, error }) => `${name} (${address}) is away: ${error.message}`);
  return `${topic}: ${[...here, ...gone].join(', ')}`;
}

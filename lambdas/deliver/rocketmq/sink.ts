import type { Resolved } from '../../core/deploy-time.ts';
import { InvalidOptionError, StopTask, show } from '../../core/errors.ts';
import { isRendered } from '../../core/jsonpath/expression.ts';
import { type ReadSecret, secretReader } from '../../net/secrets.ts';
import { isTlsFailure } from '../../net/tls.ts';
import { rotatingAuthorities } from '../ca-rotation.ts';
import type { Sink, SinkEnvironment } from '../sink.ts';
import {
  BATCH_SIZE,
  CA_SECRET_ARN,
  CREDENTIALS_SECRET_ARN,
  IN_FLIGHT_BY_PROXIES,
  type RocketMqOptions,
} from './config.ts';
import { topicConstraint } from './constraints.ts';
import { parseCredentials } from './credentials.ts';
import { isTlsFailure as isTlsFailureByProxy } from './grpc/classify.ts';
import type { RocketMqRequest } from './message.ts';
import type { Connectivity, Producer } from './producer.ts';
import type { ProducerOptions } from './remoting/options.ts';
import { openProducer } from './remoting/producer.ts';

/**
 * Delivers to RocketMQ: through name servers in batches, through proxies message by message. One producer serves all topics
 * for as long as the sandbox lives.
 */
export function openRocketMq(options: Resolved<RocketMqOptions>, environment: SinkEnvironment): Sink<RocketMqRequest> {
  const readSecret = secretReader(environment);
  const { [CA_SECRET_ARN]: authorities, [CREDENTIALS_SECRET_ARN]: credentials } = environment.env;
  const open = (ca: string | undefined) => rocketMqSink(options, () => connect(ca, options, credentials, readSecret));
  if (authorities === undefined) return open(options.ca);
  return rotatingAuthorities({
    readAuthorities: () => readSecret(authorities),
    open,
    isTlsFailure: options.endpoints === undefined ? isTlsFailure : isTlsFailureByProxy,
  });
}

export function rocketMqSink(
  options: Resolved<RocketMqOptions>,
  connect: () => Promise<Producer>,
): Sink<RocketMqRequest> {
  const { isMet: isTopic, expected: expectedTopic } = topicConstraint(options.namespace);
  let connecting: Promise<Producer> | undefined;

  function producer(): Promise<Producer> {
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
    async deliver(requests, context) {
      const { deliver } = await producer();
      return deliver(withTopicsOfTask(requests), context);
    },
    async testConnectivity(topics = [options.topic]) {
      const { testConnectivity } = await producer();
      const found: string[] = [];
      for (const topic of topics) {
        if (isRendered(topic)) {
          found.push(described(await testConnectivity(), `topics named by ${topic}`));
          continue;
        }
        // Other names were judged at synth, or when they were rendered; this one was unknown until deployment.
        if (!isTopic(topic)) throw new StopTask(`topic: got ${show(topic)}; expected ${expectedTopic}`);
        found.push(described(await testConnectivity(topic), topic));
      }
      return found.join('; ');
    },
    async close() {
      // A failure to connect was reported to the caller that needed the connection.
      const opened = await connecting?.catch(() => undefined);
      opened?.close();
    },
  };
}

/** With routes, a template and the task itself may name the same topic. Then a wrong topic is the task's fault for every message. */
function withTopicsOfTask(requests: readonly RocketMqRequest[]): readonly RocketMqRequest[] {
  const named = new Set(requests.filter((request) => !request.isTopicRendered).map(({ topic }) => topic));
  return requests.map((request) =>
    request.isTopicRendered && named.has(request.topic) ? { ...request, isTopicRendered: false } : request,
  );
}

/** @param secret ARN of the credentials' secret. */
async function connect(
  ca: string | undefined,
  options: Resolved<RocketMqOptions>,
  secret: string | undefined,
  readSecret: ReadSecret,
): Promise<Producer> {
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
    // Loaded on demand: its import takes longer than the rest of a worker.
    const { openGrpcProducer } = await import('./grpc/producer.ts');
    return openGrpcProducer({
      ...both,
      endpoints: endpoints.split(';'),
      maxInFlight: options.inflightWindow ?? IN_FLIGHT_BY_PROXIES,
    });
  } catch (cause) {
    // An address that was unknown until deployment.
    if (cause instanceof InvalidOptionError) throw new StopTask(cause.message, { cause });
    throw cause;
  }
}

function openRemoting(
  both: Omit<ProducerOptions, 'nameServers'>,
  nameServers: string,
  { produce, inflightWindow = 16, batchSize = BATCH_SIZE, ...options }: Resolved<RocketMqOptions>,
): Producer {
  return openProducer({
    ...both,
    nameServers: nameServers.split(';'),
    refreshTopicRouteIntervalMs: options.refreshTopicRouteIntervalMs ?? 5_000,
    maxInFlight: produce === 'async' ? inflightWindow : 1,
    maxBatchMessages: batchSize,
    ...(options.autoCreateTopics !== undefined && { autoCreateTopics: options.autoCreateTopics }),
  });
}

function described({ brokers, away }: Connectivity, topic: string): string {
  const here = brokers.map(
    ({ name, address, latencyMs }) => `${name} (${address}) answers in ${Math.ceil(latencyMs)} ms`,
  );
  const gone = away.map(({ name, address, error }) => `${name} (${address}) is away: ${error.message}`);
  return `${topic}: ${[...here, ...gone].join(', ')}`;
}

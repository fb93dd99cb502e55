import { InvalidOptionError, StopTask } from '../../core/errors.ts';
import { isRendered } from '../../core/jsonpath/expression.ts';
import type { Resolved } from '../../core/spec.ts';
import type { DeliverContext, Outcome, Sink, SinkEnvironment } from '../sink.ts';
import { CA_SECRET_ARN, CREDENTIALS_SECRET_ARN, type RocketMqOptions } from './config.ts';
import { type Connectivity, openProducer, type Producer } from './remoting/producer.ts';
import type { RocketMqRequest } from './render.ts';
import { parseCredentials, secretReader } from './secrets.ts';

/** Delivers to RocketMQ by the remoting protocol, in batches of a topic. One producer serves all topics for as long as the sandbox lives. */
export function openRocketMq(options: Resolved<RocketMqOptions>, environment: SinkEnvironment): Sink<RocketMqRequest> {
  return rocketMqSink(options, () => connect(options, environment));
}

export function rocketMqSink(
  options: Resolved<RocketMqOptions>,
  connect: () => Promise<Producer>,
): Sink<RocketMqRequest> {
  const isTopicRendered = isRendered(options.topic);
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
    async deliver(requests, { remainingMs, order }: DeliverContext) {
      const outcomes: Outcome[] = new Array(requests.length);
      const { send } = await producer();
      const sendAll = async (indices: readonly number[]) => {
        await Promise.all(
          byTopic(requests, indices).map(async ([topic, own]) => {
            const messages = own.map((i) => requests[i]!.message);
            const sent = await send(topic, messages, { remainingMs, isTopicRendered });
            own.forEach((i, n) => {
              outcomes[i] = sent[n]!;
            });
          }),
        );
      };
      /** One batch after the other, and none after one of which something is left over. */
      const sendInTurn = async (indices: readonly number[]) => {
        for (let at = 0; at < indices.length; at += options.batchSize) {
          const batch = indices.slice(at, at + options.batchSize);
          await sendAll(batch);
          if (!batch.every((i) => mayFollow(outcomes[i]!))) return;
        }
      };

      const all = [...requests.keys()];
      if (order === undefined) await sendAll(all);
      else if (order === 'relaxed') await sendInTurn(all);
      else {
        // The producer keeps the order within a group by itself; without one, the topic is what has an order.
        const isGrouped = (i: number) => requests[i]!.message.group !== undefined;
        const ungrouped = byTopic(
          requests,
          all.filter((i) => !isGrouped(i)),
        );
        await Promise.all([sendAll(all.filter(isGrouped)), ...ungrouped.map(([, own]) => sendInTurn(own))]);
      }
      for (const i of all) outcomes[i] ??= { status: 'unsent' };
      return outcomes;
    },
    async testConnectivity() {
      const { testConnectivity } = await producer();
      const topic = isTopicRendered ? undefined : options.topic;
      return described(await testConnectivity(topic), topic ?? `topics named by ${options.topic}`);
    },
    async close() {
      // What never came about needs no closing, and whoever asked for it has been told.
      const opened = await connecting?.catch(() => undefined);
      opened?.close();
    },
  };
}

async function connect(options: Resolved<RocketMqOptions>, environment: SinkEnvironment): Promise<Producer> {
  const readSecret = secretReader(environment);
  const { [CREDENTIALS_SECRET_ARN]: credentials, [CA_SECRET_ARN]: authority } = environment.env;
  const ca = authority === undefined ? options.ca : await readSecret(authority);
  try {
    return openProducer({
      nameServers: options.nameServers.split(';'),
      tls: options.tls && (ca === undefined ? {} : { ca }),
      ...(credentials !== undefined && {
        credentials: async () => parseCredentials(await readSecret(credentials), credentials),
      }),
      ...(options.namespace !== undefined && { namespace: options.namespace }),
      timeoutMs: options.syncTimeoutMs,
      refreshTopicRouteIntervalMs: options.refreshTopicRouteIntervalMs,
      maxInFlight: options.produce === 'sync' ? 1 : options.inflightWindow,
      maxBatchMessages: options.batchSize,
      maxMessageBytes: options.maxMessageBytes,
      autoCreateTopics: options.autoCreateTopics,
    });
  } catch (cause) {
    // An address that only the deployment knew.
    if (cause instanceof InvalidOptionError) throw new StopTask(cause.message, { cause });
    throw cause;
  }
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

import { type Resolved, resolveDeployTime } from '../../lambdas/core/deploy-time.ts';
import { isRendered } from '../../lambdas/core/jsonpath/expression.ts';
import { parseSpec } from '../../lambdas/core/spec.ts';
import {
  CA_SECRET_ARN,
  CREDENTIALS_SECRET_ARN,
  type RocketMqOptions,
  rocketMqOptions,
} from '../../lambdas/deliver/rocketmq/config.ts';
import { parseCredentials } from '../../lambdas/deliver/rocketmq/credentials.ts';
import { readTopic } from '../../lambdas/deliver/rocketmq/remoting/reader.ts';
import type { SinkEnvironment } from '../../lambdas/deliver/sink.ts';
import { secretReader } from '../../lambdas/net/secrets.ts';
import type { ArrivedRecord, ReadOptions } from './stream-records.ts';

/** The spec of a task's worker, not yet parsed, and the environment of its sink. */
export interface DeployedSink {
  readonly spec: unknown;
  readonly environment: SinkEnvironment;
}

/**
 * Reads a topic of a task's RocketMQ, with the name servers and credentials of the task.
 *
 * @param target Name of the topic; by default the sink's.
 * @returns the messages, earliest first.
 * @throws for a sink with proxies, and without a topic's name.
 */
export async function readTaskTopic(
  { spec, environment }: DeployedSink,
  target: string | undefined,
  { since, limit }: ReadOptions,
): Promise<readonly ArrivedRecord[]> {
  const { env } = environment;
  const { task, sink } = parseSpec(spec, rocketMqOptions);
  const options = resolveDeployTime(sink, env) as Resolved<RocketMqOptions>;
  if (options.nameServers === undefined)
    throw new Error(`${task}: its sink has proxies (endpoints); expected nameServers: a topic is read through these`);
  const name = target ?? (isRendered(options.topic) ? undefined : options.topic);
  if (name === undefined)
    throw new Error(`--target: the messages of ${task} name their topics (${options.topic}); expected one of these`);
  const topic = options.namespace === undefined ? name : `${options.namespace}%${name}`;
  const readSecret = secretReader(environment);
  const { [CA_SECRET_ARN]: authorities, [CREDENTIALS_SECRET_ARN]: credentials } = env;
  const ca = authorities === undefined ? options.ca : await readSecret(authorities);
  const messages = await readTopic(
    {
      nameServers: options.nameServers.split(';'),
      tls: options.tls && (ca === undefined ? {} : { ca }),
      ...(credentials !== undefined && {
        credentials: async () => parseCredentials(await readSecret(credentials), credentials),
      }),
    },
    topic,
    { since, limit },
  );
  return messages
    .sort((a, b) => a.storedAt - b.storedAt)
    .slice(0, limit)
    .map(({ broker, queueId, offset, storedAt, keys, tag, properties, body }) => ({
      target: topic,
      key: keys ?? '',
      ...(tag !== undefined && { tag }),
      properties,
      time: storedAt,
      position: `${broker}:${queueId}:${offset}`,
      body: body.toString('base64'),
    }));
}

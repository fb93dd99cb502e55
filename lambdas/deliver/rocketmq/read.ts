import type { ArrivedRecord, ReadRequest } from '../../core/control-requests.ts';
import type { Resolved } from '../../core/deploy-time.ts';
import { isRendered } from '../../core/jsonpath/expression.ts';
import { secretReader } from '../../net/secrets.ts';
import type { SinkEnvironment } from '../sink.ts';
import { CA_SECRET_ARN, CREDENTIALS_SECRET_ARN, type RocketMqOptions } from './config.ts';
import { parseCredentials } from './credentials.ts';
import { readTopic } from './remoting/reader.ts';
import type { TopicMessage } from './topic-message.ts';

type Reading = Pick<ReadRequest, 'target' | 'since' | 'limit' | 'consumerGroup'> & { readonly timeoutMs?: number };

/** Not the name of a group that a user's consumers have. */
const GROUP_BY_PROXIES = 'outflow-read';

/**
 * Reads a topic of the sink's RocketMQ: through name servers without changing an offset, and through proxies as a consumer of the
 * request's group, whose offset alone changes.
 *
 * @param target Name of the topic; by default the sink's.
 * @returns the messages, earliest first.
 * @throws without a topic's name, and what the clients throw.
 */
export async function readArrived(
  options: Resolved<RocketMqOptions>,
  environment: SinkEnvironment,
  { target, ...reading }: Reading,
): Promise<readonly ArrivedRecord[]> {
  const { nameServers, endpoints, namespace } = options;
  const name = target ?? (isRendered(options.topic) ? undefined : options.topic);
  if (name === undefined)
    throw new Error(`--target: the messages name their topics (${options.topic}); expected one of these`);
  const readSecret = secretReader(environment);
  const { [CA_SECRET_ARN]: authorities, [CREDENTIALS_SECRET_ARN]: credentials } = environment.env;
  const ca = authorities === undefined ? options.ca : await readSecret(authorities);
  const access = {
    tls: options.tls && (ca === undefined ? {} : { ca }),
    ...(credentials !== undefined && {
      credentials: async () => parseCredentials(await readSecret(credentials), credentials),
    }),
  };
  const topic = endpoints !== undefined || namespace === undefined ? name : `${namespace}%${name}`;
  let messages: readonly TopicMessage[];
  if (endpoints === undefined) {
    messages = await readTopic({ ...access, nameServers: nameServers!.split(';') }, topic, reading);
  } else {
    // Loaded on demand: its import takes longer than the rest of a worker.
    const { readByGroup } = await import('./grpc/reader.ts');
    const proxies = { ...access, endpoints: endpoints.split(';'), ...(namespace !== undefined && { namespace }) };
    const { consumerGroup = GROUP_BY_PROXIES } = reading;
    messages = await readByGroup(proxies, topic, { ...reading, consumerGroup });
  }
  return [...messages]
    .sort((a, b) => a.storedAt - b.storedAt)
    .slice(0, reading.limit)
    .map((message) => recordOf(topic, message));
}

function recordOf(target: string, { broker, queueId, offset, storedAt, ...message }: TopicMessage): ArrivedRecord {
  const { keys, tag, properties, body } = message;
  return {
    target,
    key: keys ?? '',
    ...(tag !== undefined && { tag }),
    properties,
    time: storedAt,
    position: `${broker}:${queueId}:${offset}`,
    body: body.toString('base64'),
  };
}

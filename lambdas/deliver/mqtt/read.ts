import { randomBytes } from 'node:crypto';
import type { IPublishPacket } from 'mqtt-packet';
import type { ArrivedRecord, ReadRequest } from '../../core/control-requests.ts';
import type { Resolved } from '../../core/deploy-time.ts';
import { isJsonPath, isRendered } from '../../core/jsonpath/expression.ts';
import { parseTemplate } from '../../core/template/parse.ts';
import { systemClock } from '../../net/clock.ts';
import { deadlineIn } from '../../net/deadline.ts';
import { clientIds, openClient } from '../../net/mqtt/client.ts';
import { CA_SECRET_ARN } from '../../net/mqtt/options.ts';
import { FIRST_FAILURE, reasonText } from '../../net/mqtt/reason-codes.ts';
import { secretReader } from '../../net/secrets.ts';
import type { SinkEnvironment } from '../sink.ts';
import type { MqttOptions } from './config.ts';

type Reading = Pick<ReadRequest, 'target' | 'limit' | 'waitMs'> & { readonly timeoutMs: number };

/** How long the function waits for messages, by default. */
const WAIT_MS = 10_000;
/** Part of the time that is left for connecting and subscribing. */
const CONNECT_MS = 5_000;

/**
 * Subscribes to the sink's topics, and collects the messages that the broker sends: retained ones, and those that are published while
 * it waits. A broker keeps no others.
 *
 * @param target A topic filter; by default the sink's topic, or what its template begins with.
 * @throws for topics that a message names as a whole, for a subscription that the broker refuses, and what connecting throws.
 */
export async function readArrived(
  options: Resolved<MqttOptions>,
  environment: SinkEnvironment,
  { target, limit, waitMs = WAIT_MS, timeoutMs }: Reading,
): Promise<readonly ArrivedRecord[]> {
  const filter = target ?? filterOf(options.topic);
  const { env } = environment;
  const readSecret = secretReader(environment);
  const authorities = env[CA_SECRET_ARN];
  const client = openClient({
    options,
    ca: authorities === undefined ? options.ca : await readSecret(authorities),
    env,
    readSecret,
    clock: systemClock,
  });
  const records: ArrivedRecord[] = [];
  let onFull = () => {};
  const full = new Promise<void>((resolve) => {
    onFull = resolve;
  });
  const connection = await client.connect(
    {
      clientId: clientIds(options, randomBytes(4).toString('hex'))(0),
      clean: true,
      onMessage(message, from) {
        from.acknowledge(message);
        if (records.length < limit) records.push(recordOf(message));
        if (records.length >= limit) onFull();
      },
    },
    deadlineIn(Math.min(CONNECT_MS, timeoutMs), systemClock),
  );
  try {
    const [code = FIRST_FAILURE] = await connection.subscribe([{ topic: filter, qos: 1 }], CONNECT_MS);
    if (code >= FIRST_FAILURE) throw new Error(`the broker refuses the subscription to ${filter}: ${reasonText(code)}`);
    const lost = connection.closed.then((reason) => {
      throw reason;
    });
    lost.catch(() => {}); // after the end, nobody waits for it
    await Promise.race([full, lost, systemClock.sleep(Math.max(0, Math.min(waitMs, timeoutMs - CONNECT_MS)))]);
    return records;
  } finally {
    await connection.disconnect();
  }
}

/** The topic filter of what a topic may render. */
function filterOf(topic: string): string {
  if (!isRendered(topic)) return topic;
  const [first] = isJsonPath(topic) ? [] : parseTemplate(topic);
  const levels = typeof first === 'string' ? first.split('/').slice(0, -1) : [];
  if (levels.length === 0)
    throw new Error(`--target: the messages name their topics (${topic}); expected a topic filter such as plant/#`);
  return `${levels.join('/')}/#`;
}

function recordOf({ topic, payload, qos, retain, properties }: IPublishPacket): ArrivedRecord {
  const given = Object.entries(properties?.userProperties ?? {}).map(([name, value]) => [
    name,
    [value].flat().join(', '),
  ]);
  return {
    target: topic,
    ...(given.length > 0 && { properties: Object.fromEntries(given) }),
    time: Date.now(),
    position: `QoS ${qos}${retain ? ', retained' : ''}`,
    body: Buffer.from(payload).toString('base64'),
  };
}

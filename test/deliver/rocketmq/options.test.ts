import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Resolved } from '../../../lambdas/core/deploy-time.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { type RocketMqOptions, rocketMqOptions } from '../../../lambdas/deliver/rocketmq/config.ts';
import type { RocketMqRequest } from '../../../lambdas/deliver/rocketmq/message.ts';
import { openRocketMq } from '../../../lambdas/deliver/rocketmq/sink.ts';
import { minute } from '../../contract/sink.ts';
import { type Received, routeTo, type ScriptedServer, scriptedServer } from './remoting/scripted-server.ts';

const STORED = { fields: { queueId: '0', queueOffset: '7' } };
const request: RocketMqRequest = {
  topic: 'T',
  isTopicRendered: false,
  isTypeRendered: false,
  message: { body: Buffer.from('x') },
};

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function serve(react: (received: Received) => Promise<typeof STORED> | typeof STORED, over: object = {}) {
  const broker = await scriptedServer(react);
  const nameServer = await scriptedServer(() => routeTo({ 'broker-a': broker.address }));
  const options = parseOptions(rocketMqOptions, {
    type: 'rocketmq',
    nameServers: nameServer.address,
    tls: false,
    topic: 'T',
    batchSize: 1,
    ...over,
  }) as Resolved<RocketMqOptions>;
  const sink = openRocketMq(options, { env: {} });
  open.push(broker, nameServer, sink);
  return { broker, nameServer, sink };
}

describe('options by name servers', () => {
  it.each<[number, object]>([
    [1, {}],
    [1, { produce: 'sync', inflightWindow: 3 }],
    [3, { produce: 'async', inflightWindow: 3 }],
    [16, { produce: 'async' }],
  ])('at most %i sends are in flight: %j', async (most, over) => {
    let now = 0;
    let seen = 0;
    const { sink } = await serve(async () => {
      seen = Math.max(seen, ++now);
      // All sends that may leave together have left when the first of them is answered.
      for (let i = 0; i < 50; i++) await turn();
      now--;
      return STORED;
    }, over);
    const outcomes = await sink.deliver(Array(40).fill(request), minute);
    expect(outcomes.every(({ status }) => status === 'delivered')).toBe(true);
    expect(seen).toBe(most);
  });

  it('a namespace prefixes topics and the producer group', async () => {
    const { broker, sink } = await serve(() => STORED, { namespace: 'inst' });
    await sink.deliver([request], minute);
    expect(broker.received.map(({ fields }) => [fields['a'], fields['b']])).toEqual([['inst%outflow', 'inst%T']]);
  });

  it.each<[number, object]>([
    [3, { refreshTopicRouteIntervalMs: 0 }],
    [1, { refreshTopicRouteIntervalMs: 3_600_000 }],
  ])('a route is queried %i times for three deliveries: %j', async (times, over) => {
    const { nameServer, sink } = await serve(() => STORED, over);
    for (let i = 0; i < 3; i++) await sink.deliver([request], minute);
    expect((nameServer as ScriptedServer).received.length).toBe(times);
  });
});

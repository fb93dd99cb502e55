import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Resolved } from '../../../lambdas/core/deploy-time.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { type RocketMqOptions, rocketMqOptions } from '../../../lambdas/deliver/rocketmq/config.ts';
import type { RocketMqRequest } from '../../../lambdas/deliver/rocketmq/message.ts';
import { openRocketMq } from '../../../lambdas/deliver/rocketmq/sink.ts';
import type { Outcome, Sink } from '../../../lambdas/deliver/sink.ts';
import { hurry, minute } from '../../contract/sink.ts';
import { runs } from '../../support/property-runs.ts';
import { scriptedProxy } from './grpc/scripted-proxy.ts';
import { routeTo, scriptedServer } from './remoting/scripted-server.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const sinkFor = (over: object): Sink<RocketMqRequest> => {
  const options = parseOptions(rocketMqOptions, { type: 'rocketmq', topic: '${topic}', tls: false, ...over });
  const sink = openRocketMq(options as Resolved<RocketMqOptions>, { env: {} });
  open.push(sink);
  return sink;
};

const request = (text: string, topic = 'T', group?: string): RocketMqRequest => ({
  topic,
  isTopicRendered: true,
  isTypeRendered: false,
  message: { body: Buffer.from(text), ...(group !== undefined && { group }) },
});
const requests = (texts: string) => texts.split(' ').map((text) => request(text));
const statusesOf = (outcomes: readonly Outcome[]) => outcomes.map(({ status }) => status);

// No server refuses chosen messages on demand, so scripted ones do.
describe('the RocketMQ sink with name servers and a broker that refuses some messages', () => {
  /** A sink, and the bodies of the requests that its broker received. The broker refuses the credentials of requests with these words. */
  async function refusing(words: () => readonly string[], over: object = {}) {
    const sends: string[] = [];
    const broker = await scriptedServer(({ body }) => {
      const texts = `${body}`.match(/m\d+/g) ?? [];
      sends.push(texts.join(' '));
      const isRefused = texts.some((text) => words().includes(text));
      return isRefused ? { code: 16, remark: 'User:x is not found.' } : { fields: { queueId: '0', queueOffset: '7' } };
    });
    const nameServer = await scriptedServer(() => routeTo({ 'broker-a': broker.address }));
    open.push(broker, nameServer);
    return { sends, sink: sinkFor({ nameServers: nameServer.address, key: '', ...over }) };
  }

  it('maps every outcome to its request, for any topics and failures', async () => {
    let refused: readonly string[] = [];
    const { sink } = await refusing(() => refused, { batchSize: 1, produce: 'async' });
    const batch = fc.array(fc.record({ topic: fc.constantFrom('a', 'b', 'c'), fails: fc.boolean() }), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(batch, async (given) => {
        refused = given.flatMap(({ fails }, i) => (fails ? [`m${i}`] : []));
        const outcomes = await sink.deliver(
          given.map(({ topic }, i) => request(`m${i}`, topic)),
          minute,
        );
        expect(statusesOf(outcomes)).toEqual(given.map(({ fails }) => (fails ? 'stop' : 'delivered')));
      }),
      { numRuns: runs(30) },
    );
  });

  it('relaxed order: sends nothing after a batch of which a message is owed', async () => {
    const { sink, sends } = await refusing(() => ['m2'], { batchSize: 2 });
    const outcomes = await sink.deliver(requests('m0 m1 m2 m3 m4 m5'), { ...hurry, order: 'relaxed' });
    expect(statusesOf(outcomes)).toEqual(['delivered', 'delivered', 'stop', 'stop', 'unsent', 'unsent']);
    expect(sends).toEqual(['m0 m1', 'm2 m3']);
  });

  it('strict order: a failed message holds back later ones of its group, or else of its topic, and no other', async () => {
    const { sink } = await refusing(() => ['m2', 'm6'], { batchSize: 2, produce: 'async' });
    const given = [
      ...['m2', 'm3', 'm4'].map((text) => request(text, 'a')),
      request('m5', 'b'),
      ...['m6', 'm7', 'm8'].map((text) => request(text, 'a', 'g')),
      request('m9', 'a', 'h'),
    ];
    const statuses = statusesOf(await sink.deliver(given, { ...hurry, order: 'strict' }));
    expect(statuses.slice(0, 4)).toEqual(['stop', 'stop', 'unsent', 'delivered']);
    expect(statuses.slice(4)).toEqual(['stop', 'unsent', 'unsent', 'stop']);
  });

  it('stops the task for an invalid topic that was unknown until deployment', async () => {
    const { sink, sends } = await refusing(() => []);
    const unknown = { ...request('m1', 'a b'), isTopicRendered: false };
    const [wrong, right] = await sink.deliver([unknown, request('m2')], minute);
    expect(wrong).toMatchObject({ status: 'stop', error: { message: expect.stringContaining("topic: got 'a b'") } });
    expect(right).toMatchObject({ status: 'delivered' });
    expect(sends).toEqual(['m2']);
  });
});

describe('the RocketMQ sink with a proxy that refuses some messages', () => {
  it('relaxed order: the messages in flight are a batch; strict order: one message of a topic at a time', async () => {
    const sendsOf = async (order: 'relaxed' | 'strict') => {
      const proxy = await scriptedProxy(({ body }) => (body === 'm3' ? 40_100 : 20_000));
      open.push(proxy);
      const sink = sinkFor({ endpoints: proxy.endpoint, inflightWindow: 2 });
      const given = ['m0', 'm1', 'm2', 'm3', 'm4', 'm5'].map((text) => request(text, text === 'm1' ? 'b' : 'a'));
      await sink.deliver(given, { ...hurry, order });
      return proxy.sends.map(({ body }) => body).sort();
    };
    expect(await sendsOf('relaxed')).toEqual(['m0', 'm1', 'm2', 'm3']);
    expect(await sendsOf('strict')).toEqual(['m0', 'm1', 'm2', 'm3']);
  });
});

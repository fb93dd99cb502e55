import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { createServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { Resolved } from '../../../lambdas/core/deploy-time.ts';
import { NeverRetry, RetryLater, StopTask } from '../../../lambdas/core/errors.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { parseAddress } from '../../../lambdas/deliver/net/address.ts';
import { CA_SECRET_ARN, type RocketMqOptions, rocketMqOptions } from '../../../lambdas/deliver/rocketmq/config.ts';
import type { SinkProducer } from '../../../lambdas/deliver/rocketmq/producer.ts';
import type { Message } from '../../../lambdas/deliver/rocketmq/remoting/message.ts';
import { openRocketMq } from '../../../lambdas/deliver/rocketmq/sink.ts';
import { openTrusting } from '../../../lambdas/deliver/rocketmq/trust.ts';
import type { Outcome } from '../../../lambdas/deliver/sink.ts';
import { makeAuthority } from '../../../localstack/servers/rocketmq/certificates.ts';
import { minute } from '../../contract/sink.ts';
import { scriptedProxy } from './grpc/scripted-proxy.ts';
import { routeTo, scriptedServer } from './remoting/scripted-server.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

describe('an authority that was rotated', () => {
  const before = makeAuthority('before').ca;
  const after = makeAuthority('after');

  /** Speaks TLS for a server that does not. @returns its address */
  async function withTls(address: string): Promise<string> {
    const { certificate: cert, key } = after.issue();
    const server = createServer({ cert, key, ALPNProtocols: ['h2'] }, (client) => {
      const upstream = connect(parseAddress(address)!);
      // Either end may hang up.
      pipeline(client, upstream, client).catch(() => {});
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(server);
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const places: Record<string, () => Promise<object>> = {
    async 'name servers'() {
      const broker = await scriptedServer(() => ({ fields: { queueId: '0', queueOffset: '7' } }));
      const brokerAddress = await withTls(broker.address);
      const nameServer = await scriptedServer(() => routeTo({ a: brokerAddress }));
      open.push(broker, nameServer);
      return { nameServers: await withTls(nameServer.address) };
    },
    async proxies() {
      const address: string[] = [];
      const proxy = await scriptedProxy(() => 20_000, { advertised: () => address[0]! });
      open.push(proxy);
      address.push(await withTls(proxy.endpoint));
      return { endpoints: address[0]! };
    },
  };

  it.each(Object.keys(places))('is read anew and trusted, by %s', async (where) => {
    const options = parseOptions(rocketMqOptions, { type: 'rocketmq', topic: 'T', ...(await places[where]!()) });
    const secrets = [before, after.ca];
    const connected = () => {
      const left = [...secrets];
      const sink = openRocketMq(options as Resolved<RocketMqOptions>, {
        env: { [CA_SECRET_ARN]: 'arn' },
        secret: async () => left.shift()!,
      });
      open.push(sink);
      return { sink, left };
    };
    const one = { body: Buffer.from('x') };
    const request = { topic: 'T', isTopicRendered: false, isTypeRendered: false, message: one };
    const sending = connected();
    expect(await sending.sink.deliver([request], minute)).toMatchObject([{ status: 'delivered' }]);
    expect(sending.left).toEqual([]);
    expect(await connected().sink.testConnectivity()).toMatch(/answers in/);
  });
});

describe('a producer that trusts what a secret holds', () => {
  const untrusted = (text = 'unable to verify') => new StopTask(text, { cause: new Error('TLS') });

  /** Producers that trust servers of one authority, the true one. */
  async function scripted(secrets: (string | Error)[]) {
    let nowMs = 0;
    const given = { reads: 0, true: 'new', closed: [] as string[], sends: [] as string[], slow: Promise.resolve() };
    const producer = await openTrusting({
      async readAuthority() {
        given.reads++;
        const secret = secrets.length > 1 ? secrets.shift()! : secrets[0]!;
        if (typeof secret !== 'string') throw secret;
        return secret;
      },
      async open(ca): Promise<SinkProducer> {
        return {
          async send(_topic, messages) {
            given.sends.push(`${ca}: ${messages.map(({ body }) => `${body}`)}`);
            if (messages.some(({ body }) => `${body}` === 'slow')) await given.slow;
            return messages.map(({ body }): Outcome => {
              if (`${body}` === 'bad') return { status: 'never', error: new NeverRetry('REJECTED', 'bad') };
              return ca === given.true ? { status: 'delivered' } : { status: 'stop', error: untrusted() };
            });
          },
          async testConnectivity() {
            if (ca !== given.true) throw untrusted();
            return { brokers: [], away: [] };
          },
          close: () => given.closed.push(ca),
        };
      },
      isTlsFailure: (error) => (error as Error | undefined)?.message === 'TLS',
      clock: { wallMs: () => 0, monotonicMs: () => nowMs },
    });
    const send = async (...texts: string[]) =>
      (
        await producer.send(
          'T',
          texts.map((text): Message => ({ body: Buffer.from(text) })),
        )
      ).map((one) => ('error' in one ? `${one.status}: ${one.error.message}` : one.status));
    const pass = (ms: number) => {
      nowMs += ms;
    };
    return { producer, given, send, pass };
  }

  it('sends again what was refused for want of trust, and nothing else', async () => {
    const { given, send } = await scripted(['old', 'new']);
    expect(await send('a', 'bad', 'b')).toEqual(['delivered', 'never: bad', 'delivered']);
    expect(given).toMatchObject({ sends: ['old: a,bad,b', 'new: a,b'], closed: ['old'], reads: 2 });
  });

  it('lets what is under way end with what it began with', async () => {
    const { producer, given, send } = await scripted(['old', 'new']);
    let end = () => {};
    given.slow = new Promise((resolve) => {
      end = resolve;
    });
    const slow = send('slow');
    await producer.testConnectivity('T');
    expect(given.closed).toEqual([]);
    end();
    expect(await slow).toEqual(['delivered']);
    expect(given).toMatchObject({ closed: ['old'], sends: ['old: slow', 'new: slow'], reads: 2 });
  });

  it('reads once for all that are refused together, and no more often than once a second', async () => {
    const { producer, given, send, pass } = await scripted(['old']);
    expect(await Promise.all([send('a'), send('b')])).toEqual([['stop: unable to verify'], ['stop: unable to verify']]);
    await expect(producer.testConnectivity('T')).rejects.toThrow('unable to verify');
    expect(given.reads).toBe(2);
    pass(1_000);
    given.true = 'old';
    expect(await send('a')).toEqual(['delivered']);
    given.true = 'new';
    await expect(producer.testConnectivity('T')).rejects.toThrow('unable to verify');
    expect(given).toMatchObject({ reads: 3, closed: [] });
  });

  it('tells why it could not read anew, and keeps what it had', async () => {
    const { producer, given, send, pass } = await scripted(['old', new RetryLater('throttled'), 'new']);
    expect(await send('a', 'bad')).toEqual(['retry: throttled', 'never: bad']);
    pass(1_000);
    await producer.testConnectivity('T');
    expect(given.closed).toEqual(['old']);
    producer.close();
    expect(given.closed).toEqual(['old', 'new']);
  });
});

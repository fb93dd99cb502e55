import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { createServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { Resolved } from '../../../lambdas/core/deploy-time.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { CA_SECRET_ARN, type RocketMqOptions, rocketMqOptions } from '../../../lambdas/deliver/rocketmq/config.ts';
import { openRocketMq } from '../../../lambdas/deliver/rocketmq/sink.ts';
import { parseAddress } from '../../../lambdas/net/address.ts';
import { makeAuthority } from '../../../localstack/servers/certificates.ts';
import { minute } from '../../contract/sink.ts';
import { scriptedProxy } from './grpc/scripted-proxy.ts';
import { routeTo, scriptedServer } from './remoting/scripted-server.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

describe('a rotated certificate authority', () => {
  const before = makeAuthority('before').ca;
  const after = makeAuthority('after');

  /** Puts TLS before a server without it. @returns the address to connect to. */
  async function withTls(address: string): Promise<string> {
    const { certificate: cert, key } = after.issue();
    const server = createServer({ cert, key, ALPNProtocols: ['h2'] }, (client) => {
      const upstream = connect(parseAddress(address)!);
      // Either end may close the connection first.
      pipeline(client, upstream, client).catch(() => {});
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(server);
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const servers: Record<string, () => Promise<object>> = {
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

  it.each(Object.keys(servers))('is read again and trusted, with %s', async (where) => {
    const options = parseOptions(rocketMqOptions, { type: 'rocketmq', topic: 'T', ...(await servers[where]!()) });
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

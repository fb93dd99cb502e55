import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { encodeHead, frameReader } from '../../lambdas/deliver/rocketmq/remoting/frame.ts';
import { parseAddress } from '../../lambdas/net/address.ts';
import type { FaultProxy, Link } from '../../localstack/servers/fault-proxy/start.ts';
import type { RocketMq } from '../../localstack/servers/rocketmq/start.ts';

/** Links to a RocketMQ name server and to its broker, to which a test adds faults. */
export interface RocketMqLinks {
  readonly nameServer: Link;
  readonly broker: Link;
  /** Makes both links refuse connections, and closes the open ones. */
  down(): Promise<void>;
  /** Takes both links up. */
  up(): Promise<void>;
  /** Closes all connections, removes all faults, and accepts connections again. */
  repair(): Promise<void>;
  remove(): Promise<void>;
}

/** Opens links without faults to servers without TLS. The link to the name server answers with the address of the broker's link. */
export async function openLinks(
  proxy: FaultProxy,
  mq: Pick<RocketMq, 'nameServer' | 'broker'>,
): Promise<RocketMqLinks> {
  const broker = await proxy.link({ upstream: mq.broker });
  const rewriter = await startRewriter(mq.nameServer, mq.broker, broker.address);
  const nameServer = await proxy.link({ upstream: rewriter.address });
  const both = [nameServer, broker];
  const each = async (act: (link: Link) => Promise<void>) => {
    await Promise.all(both.map(act));
  };
  return {
    nameServer,
    broker,
    down: () => each((link) => link.down()),
    up: () => each((link) => link.up()),
    repair: () =>
      each(async (link) => {
        await link.clear();
        await link.up();
      }),
    async remove() {
      await each((link) => link.remove());
      await rewriter.close();
    },
  };
}

/** Forwards to a name server and replaces the broker's address in its answers. */
async function startRewriter(nameServer: string, broker: string, replacement: string) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = createConnection(parseAddress(nameServer)!);
    const frames = frameReader(({ header, body }) => {
      const rewritten = Buffer.from(body.toString('utf8').replaceAll(broker, replacement));
      client.write(Buffer.concat([encodeHead(header.toString('utf8'), rewritten.length), rewritten]));
    });
    client.pipe(upstream);
    upstream.on('data', (chunk) => frames.push(chunk));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // When one end closes, so does the other, as with a direct connection.
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { parseAddress } from '../../lambdas/deliver/net/address.ts';
import { encodeHead, frameReader } from '../../lambdas/deliver/rocketmq/remoting/frame.ts';
import type { FaultProxy, Link } from '../../localstack/servers/fault-proxy/start.ts';
import type { RocketMq } from '../../localstack/servers/rocketmq/start.ts';

/** The way to a RocketMQ: links to its name server and to its broker, both of which can be broken. */
export interface RocketMqWay {
  readonly nameServer: Link;
  readonly broker: Link;
  /** Both servers are away. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Closes all connections, removes all faults, and accepts connections again. */
  mend(): Promise<void>;
  remove(): Promise<void>;
}

/** Opens a way of its own to servers without TLS. Nothing is broken yet. */
export async function openWay(proxy: FaultProxy, mq: Pick<RocketMq, 'nameServer' | 'broker'>): Promise<RocketMqWay> {
  const broker = await proxy.link({ upstream: mq.broker });
  const guide = await startGuide(mq.nameServer, mq.broker, broker.address);
  const nameServer = await proxy.link({ upstream: guide.address });
  const both = [nameServer, broker];
  const each = async (act: (link: Link) => Promise<void>) => {
    await Promise.all(both.map(act));
  };
  const way: RocketMqWay = {
    nameServer,
    broker,
    down: () => each((link) => link.down()),
    up: () => each((link) => link.up()),
    mend: () =>
      each(async (link) => {
        await link.clear();
        await link.up();
      }),
    async remove() {
      await each((link) => link.remove());
      await guide.close();
    },
  };
  return way;
}

/** Stands before a name server, and names another address for the broker. */
async function startGuide(nameServer: string, broker: string, instead: string) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = createConnection(parseAddress(nameServer)!);
    const frames = frameReader(({ header, body }) => {
      const told = Buffer.from(body.toString('utf8').replaceAll(broker, instead));
      client.write(Buffer.concat([encodeHead(header.toString('utf8'), told.length), told]));
    });
    client.pipe(upstream);
    upstream.on('data', (chunk) => frames.push(chunk));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // Either end takes the other along, as a name server would.
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

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { encodeHead, frameReader } from '../../../../lambdas/deliver/rocketmq/remoting/frame.ts';

/** A request that a server received. */
export interface Received {
  readonly code: number;
  readonly opaque: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Number of its connection, from 1. */
  readonly connection: number;
}

export interface Answer {
  readonly code?: number;
  readonly remark?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A reaction to a request: an answer, silence, a closed connection, or these bytes. */
export type Reaction = Answer | 'silence' | 'cut' | Uint8Array;

export interface ScriptedServer {
  /** `host:port` */
  readonly address: string;
  readonly received: readonly Received[];
  close(): Promise<void>;
}

/** Starts a server of the remoting protocol for answers that real servers do not give on demand. */
export async function scriptedServer(
  react: (received: Received) => Reaction | Promise<Reaction>,
  { onConnection = () => {} }: { onConnection?: (socket: Socket) => void } = {},
): Promise<ScriptedServer> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const connection = ++connections;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    const frames = frameReader(({ header, body }) => {
      const { code, opaque, extFields: fields } = JSON.parse(header.toString());
      const request = { code, opaque, fields, body, connection };
      received.push(request);
      void (async () => {
        const reaction = await react(request);
        if (reaction === 'silence') return;
        if (reaction === 'cut') socket.destroy();
        else socket.write(reaction instanceof Uint8Array ? reaction : encodeAnswer(opaque, reaction));
      })();
    });
    socket.on('data', (chunk: Buffer) => frames.push(chunk));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

export function encodeAnswer(opaque: number, { code = 0, remark, fields, body = '' }: Answer): Buffer {
  const header = JSON.stringify({ code, language: 'JAVA', version: 513, opaque, flag: 1, remark, extFields: fields });
  return Buffer.concat([encodeHead(header, Buffer.byteLength(body)), Buffer.from(body)]);
}

/** A name server's answer with a route. @param queues Queues per broker. */
export function routeTo(brokers: Readonly<Record<string, string>>, queues = 1): Answer {
  const names = Object.keys(brokers);
  return {
    body: JSON.stringify({
      brokerDatas: names.map((brokerName) => ({
        brokerName,
        cluster: 'cluster',
        brokerAddrs: { 0: brokers[brokerName] },
      })),
      queueDatas: names.map((brokerName) => ({ brokerName, perm: 6, readQueueNums: queues, writeQueueNums: queues })),
    }),
  };
}

export function clusterOf(brokers: Readonly<Record<string, string>>): Answer {
  const table = Object.entries(brokers).map(
    ([name, address]) => `"${name}":{"brokerAddrs":{0:"${address}"},"brokerName":"${name}"}`,
  );
  return { body: `{"brokerAddrTable":{${table}},"clusterAddrTable":{}}` };
}

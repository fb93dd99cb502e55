import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type IConnackPacket, type Packet, parser, writeToStream } from 'mqtt-packet';

type Version = 3 | 4 | 5;
type Command = NonNullable<Packet['cmd']>;

/** A client's connection to a scripted broker. */
export interface PeerConnection {
  /** Number of the connection, from 1. */
  readonly number: number;
  readonly socket: Socket;
  /** Packets of the client, in order. */
  readonly received: readonly Packet[];
  send(packet: Packet): void;
}

/** What the broker does when it receives a packet. */
export type Answer = (packet: Packet, connection: PeerConnection) => void;

/** Answers by packet type. To other packets, the broker answers that it accepts them. */
export type Script = Partial<Record<Command, Answer>>;

export interface MqttPeer {
  readonly port: number;
  /** `mqtt://127.0.0.1:<port>` */
  readonly server: string;
  readonly connections: readonly PeerConnection[];
  close(): Promise<void>;
}

export interface PeerOptions {
  /** @default 5 */
  readonly protocolVersion?: Version;
  /** Properties of the CONNACK. */
  readonly connack?: IConnackPacket['properties'];
  readonly script?: Script;
}

/** Starts a broker that answers by a script, as no real broker does on demand: rare codes, silence, malformed packets. */
export async function startMqttPeer({
  protocolVersion = 5,
  connack,
  script = {},
}: PeerOptions = {}): Promise<MqttPeer> {
  const connections: PeerConnection[] = [];
  const answers: Script = {
    connect: (_, { send }) => send(connackOf(0, protocolVersion, connack)),
    publish: ({ ...packet }, { send }) => {
      if ('qos' in packet && packet.qos > 0)
        send({ cmd: packet.qos === 1 ? 'puback' : 'pubrec', messageId: packet.messageId!, reasonCode: 0 });
    },
    pubrel: ({ messageId }, { send }) => send({ cmd: 'pubcomp', messageId: messageId!, reasonCode: 0 }),
    pingreq: (_, { send }) => send({ cmd: 'pingresp' }),
    ...script,
  };
  const server = createServer((socket) => {
    const received: Packet[] = [];
    const connection: PeerConnection = {
      number: connections.length + 1,
      socket,
      received,
      send: (packet) => {
        if (socket.writable) writeToStream(packet, socket, { protocolVersion });
      },
    };
    connections.push(connection);
    const packets = parser({ protocolVersion });
    packets.on('packet', (packet) => {
      received.push(packet);
      answers[packet.cmd]?.(packet, connection);
    });
    packets.on('error', (error) => socket.destroy(error));
    socket.on('error', () => {});
    socket.on('data', (chunk) => packets.parse(chunk));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    server: `mqtt://127.0.0.1:${port}`,
    connections,
    async close() {
      for (const { socket } of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Makes a CONNACK that accepts or refuses the connection. */
export function connackOf(
  code: number,
  protocolVersion: Version = 5,
  properties: IConnackPacket['properties'] = {},
): IConnackPacket {
  if (protocolVersion < 5) return { cmd: 'connack', sessionPresent: false, returnCode: code };
  return { cmd: 'connack', sessionPresent: false, reasonCode: code, properties };
}

import type { Socket } from 'node:net';
import { type IConnectPacket, parser, writeToStream } from 'mqtt-packet';
import { dial } from '../dial.ts';
import type { TlsOptions } from '../tls.ts';
import { type ConnectionOptions, MqttConnection } from './connection.ts';
import { ConnectionClosedError, ConnectionRefusedError, NoAnswerError } from './errors.ts';
import { packetSizeLimit } from './packet-size.ts';

export interface ConnectOptions extends ConnectionOptions {
  /** `host:port` */
  readonly address: string;
  readonly tls: TlsOptions | false;
  readonly clientId: string;
  /** Whether the broker starts without an earlier session of this client id. */
  readonly clean: boolean;
  /** Seconds for which the broker keeps the session after the connection ends; MQTT 5 only. */
  readonly sessionExpirySeconds?: number;
  /** Messages that the broker may send without an acknowledgement; MQTT 5 only. */
  readonly receiveMaximum?: number;
  /** Largest packet that the client reads. A larger one ends the connection; an MQTT 5 broker sends none. @default MAX_PACKET_BYTES */
  readonly maxPacketBytes?: number;
  readonly username?: string;
  readonly password?: string;
  /** Longest time until the CONNACK, with TCP and TLS. */
  readonly timeoutMs: number;
}

/** Far above what a task's buffer holds, and far below the 256 MiB that a packet may claim to have. */
export const MAX_PACKET_BYTES = 16 * 1024 * 1024;

/**
 * Opens a connection: TCP, TLS, CONNECT.
 *
 * @throws UnreachableError without a socket, ConnectionRefusedError for a CONNACK that refuses, NoAnswerError without a CONNACK,
 *   ConnectionClosedError when the broker closes the connection instead.
 */
export async function connectMqtt(options: ConnectOptions): Promise<MqttConnection> {
  const startedAt = performance.now();
  const socket = await dial(options.address, options.tls, options.timeoutMs);
  const leftMs = Math.max(1, options.timeoutMs - (performance.now() - startedAt));
  try {
    return await exchange(socket, options, leftMs);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function exchange(socket: Socket, options: ConnectOptions, leftMs: number): Promise<MqttConnection> {
  const { protocolVersion, maxPacketBytes = MAX_PACKET_BYTES } = options;
  const packets = parser({ protocolVersion });
  const checkSizes = packetSizeLimit(maxPacketBytes);
  socket.on('data', (chunk: Buffer) => {
    try {
      checkSizes(chunk);
      packets.parse(chunk);
    } catch (error) {
      // The parser throws for some packets that are too short.
      packets.emit('error', error);
    }
  });
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(error);
    };
    const timer = setTimeout(
      () => fail(new NoAnswerError(`CONNECT: no CONNACK within ${Math.ceil(leftMs)} ms`)),
      leftMs,
    );
    const onClose = () => fail(new ConnectionClosedError('the broker closed the connection without a CONNACK'));
    const onError = (cause: unknown) =>
      fail(new ConnectionClosedError(`the server does not speak MQTT: ${(cause as Error).message}`, { cause }));
    packets.on('error', onError);
    socket.once('close', onClose);
    packets.once('packet', (packet) => {
      if (packet.cmd !== 'connack')
        return fail(new ConnectionClosedError(`got ${packet.cmd.toUpperCase()}; expected CONNACK`));
      const code = protocolVersion === 5 ? packet.reasonCode : packet.returnCode;
      if (code === undefined) return fail(new ConnectionClosedError('got a CONNACK without a code'));
      if (code !== 0) return fail(new ConnectionRefusedError(code, protocolVersion, packet.properties?.reasonString));
      clearTimeout(timer);
      socket.off('close', onClose);
      packets.off('error', onError);
      // The connection listens before the parser goes on: stored messages may follow the CONNACK in the same chunk.
      resolve(new MqttConnection(socket, packets, packet, options));
    });
    writeToStream(connectPacket(options), socket, { protocolVersion });
  });
}

function connectPacket(options: ConnectOptions): IConnectPacket {
  const { protocolVersion, clientId, clean, keepaliveSeconds, username, password } = options;
  const { sessionExpirySeconds, receiveMaximum, maxPacketBytes = MAX_PACKET_BYTES } = options;
  return {
    cmd: 'connect',
    protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion,
    clientId,
    clean,
    keepalive: keepaliveSeconds,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: Buffer.from(password) }),
    ...(protocolVersion === 5 && {
      properties: {
        maximumPacketSize: maxPacketBytes,
        ...(sessionExpirySeconds !== undefined && { sessionExpiryInterval: sessionExpirySeconds }),
        ...(receiveMaximum !== undefined && { receiveMaximum }),
      },
    }),
  };
}

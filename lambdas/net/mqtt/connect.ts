import type { Socket } from 'node:net';
import { type IConnectPacket, parser, writeToStream } from 'mqtt-packet';
import { dial } from '../dial.ts';
import type { TlsOptions } from '../tls.ts';
import { type ConnectionOptions, MqttConnection } from './connection.ts';
import { ConnectionClosedError, ConnectionRefusedError, NoAnswerError } from './errors.ts';

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
  readonly username?: string;
  readonly password?: string;
  /** Longest time until the CONNACK, with TCP and TLS. */
  readonly timeoutMs: number;
}

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
  const { protocolVersion } = options;
  const packets = parser({ protocolVersion });
  socket.on('data', (chunk: Buffer) => packets.parse(chunk));
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
      const code = packet.reasonCode ?? packet.returnCode ?? 0;
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
  const { sessionExpirySeconds, receiveMaximum } = options;
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
        ...(sessionExpirySeconds !== undefined && { sessionExpiryInterval: sessionExpirySeconds }),
        ...(receiveMaximum !== undefined && { receiveMaximum }),
      },
    }),
  };
}

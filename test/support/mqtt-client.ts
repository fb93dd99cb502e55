import { randomBytes } from 'node:crypto';
import mqtt, { type IClientOptions, type IConnackPacket, type IDisconnectPacket, type MqttClient } from 'mqtt';

/** A connected MQTT.js client that never reconnects. */
export interface Connected {
  readonly client: MqttClient;
  readonly connack: IConnackPacket;
  /** Payloads of the messages received so far, in order. */
  readonly received: string[];
  /** Resolves when the connection ends, with the broker's DISCONNECT if it has sent one. */
  readonly closed: Promise<IDisconnectPacket | undefined>;
}

/**
 * Connects by MQTT 5, unless the options state another version.
 *
 * @throws Error with `code`, the code of a refusing CONNACK, or with the text `closed before CONNACK`
 */
export async function connectMqtt(url: string, options: IClientOptions = {}): Promise<Connected> {
  const client = mqtt.connect(url, {
    protocolVersion: 5,
    clientId: `test-${randomBytes(4).toString('hex')}`,
    reconnectPeriod: 0,
    resubscribe: false,
    connectTimeout: 20_000,
    manualConnect: true,
    ...options,
  });
  const received: string[] = [];
  let disconnect: IDisconnectPacket | undefined;
  client.on('message', (_, payload) => received.push(payload.toString()));
  client.on('disconnect', (packet) => {
    disconnect = packet;
  });
  const closed = new Promise<IDisconnectPacket | undefined>((resolve) => {
    client.once('close', () => resolve(disconnect));
  });
  try {
    const connack = await new Promise<IConnackPacket>((resolve, reject) => {
      client.once('connect', resolve);
      client.on('error', reject);
      client.once('close', () => reject(new Error('closed before CONNACK')));
      client.connect();
    });
    return { client, connack, received, closed };
  } catch (error) {
    client.end(true);
    throw error;
  }
}

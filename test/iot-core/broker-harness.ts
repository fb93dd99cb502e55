import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { generate, type Packet, parser } from 'mqtt-packet';
import { onTestFinished } from 'vitest';
import {
  type Broker,
  type BrokerOptions,
  type LifecycleEvent,
  type Publication,
  startBroker,
} from '../../localstack/iot-core/broker/broker.ts';

/** Records items in order; `next` waits for the next one. */
export class Recorder<T> {
  readonly #seen: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  readonly add = (item: T): void => {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#seen.push(item);
    else waiting(item);
  };

  next(): Promise<T> {
    const seen = this.#seen.shift();
    return seen === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(seen);
  }

  async take(count: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }
}

/** Starts a broker for one test. Publications of lifecycle events are not recorded. */
export async function startTestBroker(options: BrokerOptions = {}) {
  const publications = new Recorder<Publication>();
  const events = new Recorder<LifecycleEvent>();
  const errors = new Recorder<Error>();
  const broker = await startBroker({
    onLifecycle: events.add,
    onError: errors.add,
    ...options,
    onPublish: (publication) => {
      if (publication.topic.startsWith('$aws/events')) return;
      publications.add(publication);
      return options.onPublish?.(publication);
    },
  });
  onTestFinished(() => broker.close());
  return { broker, publications, events, errors };
}

export interface Received {
  topic: string;
  text: string;
  packet: IPublishPacket;
}

export async function mqttClient(
  broker: Broker,
  options: IClientOptions = {},
): Promise<MqttClient & { inbox: Recorder<Received> }> {
  const inbox = new Recorder<Received>();
  const client = await connectAsync(broker.url, { reconnectPeriod: 0, protocolVersion: 5, ...options }, false);
  client.on('message', (topic, payload, packet) => inbox.add({ topic, text: payload.toString(), packet }));
  client.on('error', () => {});
  onTestFinished(() => {
    client.end(true);
  });
  return Object.assign(client, { inbox });
}

/** A client that sends exactly the packets that a test gives it. */
export async function rawClient(broker: Broker, protocolVersion: 4 | 5 = 5) {
  const socket = connectSocket(broker.port, broker.host);
  await once(socket, 'connect');
  const packets = new Recorder<Packet>();
  const incoming = parser({ protocolVersion });
  incoming.on('packet', packets.add);
  socket.on('data', (chunk) => incoming.parse(chunk));
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  onTestFinished(() => {
    socket.destroy();
  });
  return {
    socket,
    closed,
    next: () => packets.next(),
    send: (packet: Packet) => socket.write(generate(packet, { protocolVersion })),
    async connect(clientId: string, more: object = {}): Promise<Packet> {
      this.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion, clientId, clean: true, keepalive: 60, ...more });
      return packets.next();
    },
  };
}

export function latch() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

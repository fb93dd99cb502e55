import { randomBytes } from 'node:crypto';
import type { Stack } from 'aws-cdk-lib';
import type { IPublishPacket } from 'mqtt';
import { vi } from 'vitest';
import {
  MqttConnector,
  type MqttConnectorProps,
  MqttSink,
  type MqttSinkProps,
  type OutflowTaskProps,
} from '../../lib/index.ts';
import type { Stack as ReadStack } from '../../localstack/one-process/assembly.ts';
import type { MqttBroker } from '../../localstack/servers/mqtt-brokers/broker.ts';
import { connectMqtt } from './mqtt-client.ts';
import { PATIENCE, type StoredCopy, synthesizeTasks } from './task-under-test.ts';

/** A task to declare; it publishes to `<name>/out` by default. */
export interface DeclaredMqtt extends Partial<OutflowTaskProps> {
  readonly connector: (stack: Stack) => MqttConnectorProps;
  readonly to?: Partial<MqttSinkProps>;
}

export function synthesizeMqtt(tasks: Readonly<Record<string, DeclaredMqtt>>): readonly ReadStack[] {
  return synthesizeTasks(
    Object.fromEntries(
      Object.entries(tasks).map(([name, { connector, to, ...props }]) => [
        name,
        {
          ...props,
          sink: (stack: Stack) =>
            new MqttSink(new MqttConnector(stack, 'Mq', connector(stack)), {
              topic: `${name}/out`,
              payload: '${payload}',
              userProperties: { id: '${id}' },
              ...to,
            }),
        },
      ]),
    ),
  );
}

/** Receives what tasks publish, in a session that outlasts the broker's restarts. */
export interface MqttReader {
  /** The messages below `<name>/` that the broker has taken so far. */
  read(name: string): Promise<readonly StoredCopy[]>;
  close(): void;
}

export async function openMqttReader({ host, port }: Pick<MqttBroker, 'host' | 'port'>): Promise<MqttReader> {
  const packets: IPublishPacket[] = [];
  const marks = new Set<string>();
  const { client } = await connectMqtt(`mqtt://${host}:${port}`, {
    clean: false,
    reconnectPeriod: 50,
    properties: { sessionExpiryInterval: 3_600 },
  });
  client.on('message', (topic, payload, packet) => {
    if (topic === 'mark') marks.add(`${payload}`);
    else packets.push(packet);
  });
  await client.subscribeAsync('#', { qos: 1 });
  return {
    async read(name) {
      const mark = randomBytes(8).toString('hex');
      await client.publishAsync('mark', mark, { qos: 1 });
      await vi.waitUntil(() => marks.has(mark), PATIENCE);
      return packets.flatMap(({ topic, payload, properties }) =>
        topic.startsWith(`${name}/`)
          ? [{ text: `${payload}`, id: properties?.userProperties?.['id'] as string | undefined }]
          : [],
      );
    },
    close: () => client.end(true),
  };
}

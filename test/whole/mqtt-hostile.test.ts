import { afterAll, beforeAll, describe, expect, it, type TestContext, vi } from 'vitest';
import type { Stack as ReadStack } from '../../localstack/one-process/assembly.ts';
import { mqttBrokersHome as home, isInstalled } from '../../localstack/servers/mqtt-brokers/install.mjs';
import { type MqttBroker, startHiveMq, startMosquitto } from '../../localstack/servers/mqtt-brokers/start.ts';
import { type DeclaredMqtt, type MqttReader, openMqttReader, synthesizeMqtt } from '../support/mqtt-task.ts';
import { PATIENCE, startTaskUnderTest, texts } from '../support/task-under-test.ts';

const MAX_PACKET_BYTES = 50_000;
const VERSIONS = [5, 4] as const;

// What a message names, a broker may refuse, and some brokers close the connection then. No device may stop the task by it.
describe.skipIf(!isInstalled(home)).each([
  { name: 'mosquitto', startBroker: startMosquitto },
  { name: 'HiveMQ', startBroker: startHiveMq },
])('a hostile device among good ones, on $name', ({ startBroker }) => {
  let broker: MqttBroker;
  let reader: MqttReader;
  let stacks: readonly ReadStack[];

  beforeAll(async () => {
    broker = await startBroker({ home, deniedTopics: ['denied/#'], maxPacketBytes: MAX_PACKET_BYTES });
    reader = await openMqttReader(broker);
    const tasks: Record<string, DeclaredMqtt> = {};
    for (const version of VERSIONS) {
      const connector = () => ({
        server: `mqtt://${broker.host}:${broker.port}`,
        protocolVersion: version,
      });
      tasks[`Rendered${version}`] = {
        connector,
        to: {
          topic: '${payload.to}',
          topics: [`Rendered${version}/*`, 'denied/*'],
          qos: '$.data.body.qos',
          retain: '$.data.body.retain',
        },
      };
      tasks[`Sized${version}`] = { connector };
    }
    stacks = synthesizeMqtt(tasks);
  });
  afterAll(async () => {
    reader?.close();
    await broker?.close();
  });

  /** Publishes batches of the hostile device alone, and then beside a good one. Resolves when all messages of the good one are stored. */
  async function mixed(test: TestContext, name: string, hostile: readonly string[], good: readonly string[]) {
    const started = await startTaskUnderTest(test, stacks, name, { readBack: () => reader.read(name) });
    const { task, publish, drained, books } = started;
    const statuses = new Set<string>();
    const watch = setInterval(() => statuses.add(task.control!.state.status), 10);
    test.onTestFinished(() => clearInterval(watch));
    const attempts = () =>
      task.counters.deadLettered + task.counters.outgoing + task.counters.retried + task.counters.parked;
    for (let round = 0; round < 4; round++) {
      const before = attempts();
      const some = hostile.filter((_, n) => n % 4 === round);
      await publish(some, 'hostile');
      await vi.waitUntil(() => attempts() >= before + some.length, PATIENCE);
    }
    await Promise.all([
      publish(good, 'good'),
      publish(
        hostile.map((text) => `${text} `),
        'hostile',
      ),
    ]);
    const isStored = async () => {
      const stored = new Set((await reader.read(name)).map(({ text }) => text));
      return good.every((text) => stored.has(text));
    };
    await vi.waitUntil(isStored, PATIENCE);
    return { statuses, drained, books };
  }

  it.for(VERSIONS)('renders targets that the broker denies, with MQTT version %i', async (version, test) => {
    const name = `Rendered${version}`;
    const named = [
      'denied/a',
      'denied/#',
      '+',
      `${name}/#`,
      '$SYS/broker',
      '$share/g/t',
      '',
      '\u0000',
      'x'.repeat(70_000),
    ];
    const message = (over: object, n: number) => JSON.stringify({ n, to: `${name}/a`, qos: 1, retain: false, ...over });
    const hostile = [
      ...named.map((to) => ({ to })),
      { qos: 3 },
      { retain: 'yes' },
      ...named.map((to) => ({ to, qos: 2 })),
      { to: 'denied/b', qos: 0 },
    ].map(message);
    const good = texts(60).map((text) => JSON.stringify({ text, to: `${name}/good`, qos: 1, retain: false }));
    const { statuses, drained, books } = await mixed(test, name, hostile, good);
    expect(statuses).not.toContain('Start Failed');
    // In MQTT 3.1.1 a broker may acknowledge what it denies.
    if (version < 5) return;
    await drained();
    const { lost, unexplained, buffered } = await books();
    // With QoS 0, a broker does not report that it has denied a message.
    const isUnknown = (text: string) => text.includes('"qos":0');
    expect([lost.filter((text) => !isUnknown(text)), unexplained, buffered]).toEqual([[], [], 0]);
  });

  it.for(VERSIONS)(
    'publishes messages that are too large for the broker, with MQTT version %i',
    async (version, test) => {
      const hostile = texts(20, MAX_PACKET_BYTES + 1_000, 'large');
      const { statuses, drained, books } = await mixed(test, `Sized${version}`, hostile, texts(60));
      expect(statuses).not.toContain('Start Failed');
      // By MQTT 3.1.1 the broker only closes the connection, so that these messages are retried for as long as the policy has it.
      if (version < 5) return;
      await drained();
      const found = await books();
      expect(found).toMatchObject({ delivered: 60, lost: [], unexplained: [], buffered: 0 });
      expect(new Set(Object.values(found.deadLetters))).toEqual(new Set(['MESSAGE_TOO_LARGE']));
    },
  );
});

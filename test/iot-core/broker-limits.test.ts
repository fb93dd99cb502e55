import type { IPublishPacket, ISubscription, Packet } from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import { mqttClient, rawClient, startTestBroker } from './broker-harness.ts';

const publish = (more: Partial<IPublishPacket>): Packet => ({
  cmd: 'publish',
  topic: 't',
  payload: '',
  qos: 0,
  dup: false,
  retain: false,
  messageId: 1,
  ...more,
});
const subscribe = (...topics: string[]): Packet => ({
  cmd: 'subscribe',
  messageId: 1,
  subscriptions: topics.map((topic): ISubscription => ({ topic, qos: 0 })),
});

const violations: [string, Packet, number, string][] = [
  ['payload over 128 KiB', publish({ payload: Buffer.alloc(128 * 1024 + 1) }), 0x95, 'CLIENT_ERROR'],
  ['packet over 146 KiB', publish({ payload: Buffer.alloc(200 * 1024) }), 0x95, 'CLIENT_ERROR'],
  ['topic over 256 bytes', publish({ topic: 'x'.repeat(257) }), 0x90, 'CLIENT_ERROR'],
  ['eight slashes', publish({ topic: '1/2/3/4/5/6/7/8/9' }), 0x90, 'CLIENT_ERROR'],
  ['wildcard in a topic', publish({ topic: 'a/+' }), 0x90, 'CLIENT_ERROR'],
  ['reserved topic', publish({ topic: '$aws/events/presence/connected/x' }), 0x87, 'FORBIDDEN_ACCESS'],
  ['own $ topic', publish({ topic: '$mine' }), 0x87, 'FORBIDDEN_ACCESS'],
  ['QoS 2 publish', publish({ qos: 2 }), 0x9b, 'CLIENT_ERROR'],
  [
    'QoS 2 subscribe',
    { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 2 }] },
    0x9b,
    'CLIENT_ERROR',
  ],
  ['nine filters', subscribe(...'123456789'), 0x97, 'CLIENT_ERROR'],
  ['misplaced wildcard', subscribe('a/#/b'), 0x8f, 'CLIENT_ERROR'],
  ['filter of eight slashes', subscribe('1/2/3/4/5/6/7/8/9'), 0x8f, 'CLIENT_ERROR'],
  ['second CONNECT', { cmd: 'connect', clientId: 'c', protocolId: 'MQTT', protocolVersion: 5 }, 0x82, 'CLIENT_ERROR'],
];

describe.each([4, 5] as const)('MQTT version %i', (version) => {
  test.each(violations)('%s ends the connection', async (_, packet, code, disconnectReason) => {
    const { broker, events } = await startTestBroker();
    const client = await rawClient(broker, version);
    await client.connect('c');
    client.send(packet);
    if (version === 5) expect(await client.next()).toMatchObject({ cmd: 'disconnect', reasonCode: code });
    await client.closed;
    expect((await events.take(2))[1]).toMatchObject({ disconnectReason });
  });

  test('the 51st subscription is refused, the connection stays', async () => {
    const { broker } = await startTestBroker();
    const client = await mqttClient(broker, { protocolVersion: version });
    for (let n = 0; n < 50; n += 1) await client.subscribeAsync(`t/${n}`);
    await expect(client.subscribeAsync('t/50')).rejects.toThrow();
    await client.unsubscribeAsync('t/0');
    await client.subscribeAsync('t/50');
  });

  test('the largest message that AWS accepts is delivered', async () => {
    const { broker } = await startTestBroker();
    const client = await mqttClient(broker, { protocolVersion: version });
    const topic = `1/2/3/4/5/6/7/${'x'.repeat(242)}`;
    await client.subscribeAsync(topic, { qos: 1 });
    await client.publishAsync(topic, Buffer.alloc(128 * 1024, 'x'), { qos: 1 });
    expect((await client.inbox.next()).text).toHaveLength(128 * 1024);
  });
});

test.each([
  ['unknown alias', publish({ topic: '', properties: { topicAlias: 1 } }), 0x82],
  ['alias over 8', publish({ properties: { topicAlias: 9 } }), 0x94],
  ['user properties over 8 KB', publish({ properties: { userProperties: { a: 'x'.repeat(8192) } } }), 0x97],
  ['AUTH', { cmd: 'auth', reasonCode: 0x18 } as Packet, 0x82],
])('MQTT 5: %s', async (_, packet, code) => {
  const { broker } = await startTestBroker();
  const client = await rawClient(broker);
  await client.connect('c');
  client.send(packet);
  expect(await client.next()).toMatchObject({ cmd: 'disconnect', reasonCode: code });
  await client.closed;
});

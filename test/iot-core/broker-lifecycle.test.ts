import { expect, test } from 'vitest';
import type { Publication } from '../../localstack/iot-core/broker/broker.ts';
import { startBroker } from '../../localstack/iot-core/broker/broker.ts';
import { mqttClient, Recorder, rawClient, startTestBroker } from './broker-harness.ts';

test('events are reported, published to subscribers, and have AWS’s fields', async () => {
  const { broker, events } = await startTestBroker({ now: () => 42 });
  const watcher = await mqttClient(broker, { clientId: 'watcher' });
  await watcher.subscribeAsync('$aws/events/+/+/device', { qos: 1 });
  await events.take(2);
  const device = await mqttClient(broker, { clientId: 'device', protocolVersion: 4 });
  await device.subscribeAsync(['a', 'b/#']);
  await device.unsubscribeAsync('a');
  await device.endAsync();
  const reported = await events.take(4);
  const base = {
    clientId: 'device',
    timestamp: 42,
    sessionIdentifier: expect.any(String),
    principalIdentifier: expect.stringMatching(/^[0-9a-f]{64}$/),
  };
  expect(reported).toEqual([
    { ...base, eventType: 'connected', ipAddress: '127.0.0.1', versionNumber: 0 },
    { ...base, eventType: 'subscribed', topics: ['a', 'b/#'] },
    { ...base, eventType: 'unsubscribed', topics: ['a'] },
    {
      ...base,
      eventType: 'disconnected',
      clientInitiatedDisconnect: true,
      disconnectReason: 'CLIENT_INITIATED_DISCONNECT',
      versionNumber: 0,
    },
  ]);
  const published = await watcher.inbox.take(4);
  expect(published.map(({ topic }) => topic)).toEqual([
    '$aws/events/presence/connected/device',
    '$aws/events/subscriptions/subscribed/device',
    '$aws/events/subscriptions/unsubscribed/device',
    '$aws/events/presence/disconnected/device',
  ]);
  expect(published.map(({ text }) => JSON.parse(text))).toEqual(reported);
});

test('rules receive the events; a client id with a wildcard has none', async () => {
  const seen = new Recorder<Publication>();
  const broker = await startBroker({ onPublish: seen.add });
  await (await rawClient(broker)).connect('odd+id');
  await (await rawClient(broker)).connect('plain');
  expect(await seen.next()).toMatchObject({ topic: '$aws/events/presence/connected/plain', clientId: 'n/a' });
  await broker.close();
});

test('disconnect reasons of a lost connection and of a shutdown', async () => {
  const { broker, events } = await startTestBroker();
  const lost = await rawClient(broker);
  await lost.connect('lost');
  lost.socket.destroy();
  expect((await events.take(2))[1]).toMatchObject({ clientId: 'lost', disconnectReason: 'CONNECTION_LOST' });
  await (await rawClient(broker)).connect('last');
  await broker.close();
  expect((await events.take(2))[1]).toMatchObject({
    clientId: 'last',
    disconnectReason: 'SERVER_INITIATED_DISCONNECT',
  });
});

test('a persistent session keeps its identifier; the version number restarts after an hour offline', async () => {
  let now = 0;
  const { broker, events } = await startTestBroker({ now: () => now });
  const visit = async () => {
    const client = await rawClient(broker, 4);
    await client.connect('c', { clean: false });
    client.send({ cmd: 'disconnect' });
    const [connected] = await events.take(2);
    return connected!;
  };
  const first = await visit();
  const second = await visit();
  now += 3_600_000;
  const third = await visit();
  expect(second.sessionIdentifier).toBe(first.sessionIdentifier);
  expect([first, second, third]).toMatchObject([{ versionNumber: 0 }, { versionNumber: 1 }, { versionNumber: 0 }]);
});

import { expect, test } from 'vitest';
import type { Publication } from '../../localstack/iot-core/broker/broker.ts';
import { startBroker } from '../../localstack/iot-core/broker/broker.ts';
import { brokerFor, clientOf, Log, wireTo } from './broker-harness.ts';

test('events are told, published to subscribers, and have AWS’s fields', async () => {
  const { broker, events } = await brokerFor({ now: () => 42 });
  const watcher = await clientOf(broker, { clientId: 'watcher' });
  await watcher.subscribeAsync('$aws/events/+/+/device', { qos: 1 });
  await events.take(2);
  const device = await clientOf(broker, { clientId: 'device', protocolVersion: 4 });
  await device.subscribeAsync(['a', 'b/#']);
  await device.unsubscribeAsync('a');
  await device.endAsync();
  const told = await events.take(4);
  const base = {
    clientId: 'device',
    timestamp: 42,
    sessionIdentifier: expect.any(String),
    principalIdentifier: expect.stringMatching(/^[0-9a-f]{64}$/),
  };
  expect(told).toEqual([
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
  expect(published.map(({ text }) => JSON.parse(text))).toEqual(told);
});

test('rules see the events, of a client id with a wildcard there are none', async () => {
  const seen = new Log<Publication>();
  const broker = await startBroker({ onPublish: seen.add });
  await (await wireTo(broker)).hello('odd+id');
  await (await wireTo(broker)).hello('plain');
  expect(await seen.next()).toMatchObject({ topic: '$aws/events/presence/connected/plain', clientId: 'n/a' });
  await broker.close();
});

test('a lost connection, and shutting down', async () => {
  const { broker, events } = await brokerFor();
  const lost = await wireTo(broker);
  await lost.hello('lost');
  lost.socket.destroy();
  expect((await events.take(2))[1]).toMatchObject({ clientId: 'lost', disconnectReason: 'CONNECTION_LOST' });
  await (await wireTo(broker)).hello('last');
  await broker.close();
  expect((await events.take(2))[1]).toMatchObject({
    clientId: 'last',
    disconnectReason: 'SERVER_INITIATED_DISCONNECT',
  });
});

test('a kept session keeps its identifier; the version number starts again after an hour offline', async () => {
  let now = 0;
  const { broker, events } = await brokerFor({ now: () => now });
  const visit = async () => {
    const wire = await wireTo(broker, 4);
    await wire.hello('c', { clean: false });
    wire.send({ cmd: 'disconnect' });
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

import { describe, expect, test, vi } from 'vitest';
import type { LifecycleEvent } from '../../localstack/iot-core/broker/broker.ts';
import { mqttClient, type Recorder, rawClient, startTestBroker } from './broker-harness.ts';

const persistent = { 4: { clean: false }, 5: { clean: false, properties: { sessionExpiryInterval: 600 } } } as const;

describe.each([4, 5] as const)('MQTT version %i', (protocolVersion) => {
  const session = { protocolVersion, ...persistent[protocolVersion] };

  test('a persistent session gets the QoS 1 messages that it missed, in order', async () => {
    const { broker } = await startTestBroker();
    const first = await mqttClient(broker, { ...session, clientId: 'kept' });
    await first.subscribeAsync('t', { qos: 1 });
    await first.endAsync();
    await broker.publish({ topic: 't', payload: 'lost', qos: 0 });
    for (const payload of ['1', '2', '3']) await broker.publish({ topic: 't', payload, qos: 1 });
    const client = await rawClient(broker, protocolVersion);
    expect(await client.connect('kept', session)).toMatchObject({ sessionPresent: true });
    for (const text of ['1', '2', '3']) {
      const packet = await client.next();
      expect(packet).toMatchObject({ cmd: 'publish', qos: 1, dup: false });
      expect(packet.cmd === 'publish' && packet.payload.toString()).toBe(text);
    }
  });

  test('an unacknowledged message is sent again as a duplicate with its packet id', async () => {
    const { broker, events } = await startTestBroker();
    const client = await rawClient(broker, protocolVersion);
    await client.connect('kept', session);
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] });
    await client.next();
    await broker.publish({ topic: 't', payload: 'x', qos: 1 });
    const sent = await client.next();
    client.socket.destroy();
    while ((await events.next()).eventType !== 'disconnected');
    const again = await rawClient(broker, protocolVersion);
    await again.connect('kept', session);
    expect(await again.next()).toMatchObject({ cmd: 'publish', dup: true, messageId: sent.messageId });
  });

  test('a clean start discards the session', async () => {
    const { broker } = await startTestBroker();
    const first = await mqttClient(broker, { ...session, clientId: 'kept' });
    await first.subscribeAsync('t', { qos: 1 });
    await first.endAsync();
    const client = await rawClient(broker, protocolVersion);
    expect(await client.connect('kept', { clean: true })).toMatchObject({ sessionPresent: false });
    await broker.publish({ topic: 't', payload: 'x', qos: 1 });
    client.send({ cmd: 'pingreq' });
    expect(await client.next()).toMatchObject({ cmd: 'pingresp' });
  });

  test('retained messages go to exact-topic subscriptions only', async () => {
    const { broker } = await startTestBroker();
    await broker.publish({ topic: 'state/1', payload: 'on', qos: 1, retain: true });
    const reader = await mqttClient(broker, { protocolVersion });
    await reader.subscribeAsync(['state/#', 'state/+', '$share/g/state/1'], { qos: 1 });
    await reader.subscribeAsync('state/1', { qos: 1 });
    await broker.publish({ topic: 'state/2', payload: 'live', qos: 1, retain: true });
    expect(await reader.inbox.next()).toMatchObject({ topic: 'state/1', text: 'on', packet: { retain: true } });
    expect(await reader.inbox.next()).toMatchObject({ topic: 'state/2', text: 'live', packet: { retain: false } });
    await broker.publish({ topic: 'state/1', payload: '', retain: true });
    const late = await mqttClient(broker, { protocolVersion });
    await late.subscribeAsync('state/1');
    await broker.publish({ topic: 'state/1', payload: 'fence' });
    expect(await late.inbox.next()).toMatchObject({ text: 'fence' });
  });

  test('a shared subscription gives each message to one member, each group its own copy', async () => {
    const { broker } = await startTestBroker();
    const members = await Promise.all([1, 2].map(() => mqttClient(broker, { protocolVersion })));
    for (const member of members) await member.subscribeAsync('$share/workers/job/+', { qos: 1 });
    const audit = await mqttClient(broker, { protocolVersion });
    await audit.subscribeAsync('$share/audit/job/+', { qos: 1 });
    const got: string[][] = [[], []];
    const all = new Promise<void>((resolve) => {
      members.forEach((member, index) => {
        member.on('message', (_, payload) => {
          got[index]!.push(payload.toString());
          if (got.flat().length === 100) resolve();
        });
      });
    });
    for (let n = 0; n < 100; n += 1) await broker.publish({ topic: `job/${n}`, payload: String(n), qos: 1 });
    await all;
    await audit.inbox.take(100);
    expect(new Set(got.flat()).size).toBe(100);
    expect(got.every((part) => part.length > 10)).toBe(true);
  });

  test('a duplicate client id disconnects the old connection', async () => {
    const { broker, events } = await startTestBroker();
    const old = await rawClient(broker, protocolVersion);
    await old.connect('twin');
    await mqttClient(broker, { protocolVersion, clientId: 'twin' });
    if (protocolVersion === 5) expect(await old.next()).toMatchObject({ cmd: 'disconnect', reasonCode: 0x8e });
    await old.closed;
    expect(await events.take(3)).toMatchObject([
      { eventType: 'connected', versionNumber: 0 },
      {
        eventType: 'disconnected',
        disconnectReason: 'DUPLICATE_CLIENTID',
        clientInitiatedDisconnect: false,
        versionNumber: 0,
      },
      { eventType: 'connected', versionNumber: 1 },
    ]);
  });

  test('a will is published unless the client sends DISCONNECT', async () => {
    const { broker, publications } = await startTestBroker();
    const will = { topic: 'gone', payload: Buffer.from('will'), qos: 1, retain: false } as const;
    const polite = await mqttClient(broker, { protocolVersion, clientId: 'polite', will });
    await polite.endAsync();
    const rude = await rawClient(broker, protocolVersion);
    await rude.connect('rude', { will });
    rude.socket.destroy();
    expect(await publications.next()).toMatchObject({ topic: 'gone', clientId: 'rude', qos: 1 });
  });

  test('a silent client is disconnected after one and a half keep-alive intervals', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { broker, events } = await startTestBroker();
      const client = await rawClient(broker, protocolVersion);
      await client.connect('silent', { keepalive: 40 });
      await vi.advanceTimersByTimeAsync(59_000);
      client.send({ cmd: 'pingreq' });
      await client.next();
      await vi.advanceTimersByTimeAsync(59_000);
      client.send({ cmd: 'pingreq' });
      await client.next();
      await vi.advanceTimersByTimeAsync(60_000);
      await client.closed;
      expect((await events.take(2))[1]).toMatchObject({ disconnectReason: 'MQTT_KEEP_ALIVE_TIMEOUT' });
    } finally {
      vi.useRealTimers();
    }
  });
});

test('DISCONNECT with will (0x04) publishes it', async () => {
  const { broker, publications, events } = await startTestBroker();
  const client = await rawClient(broker);
  await client.connect('c', {
    will: { topic: 'gone', payload: Buffer.from('w'), qos: 0, properties: { contentType: 'text/x' } },
  });
  client.send({ cmd: 'disconnect', reasonCode: 0x04 });
  expect(await publications.next()).toMatchObject({ topic: 'gone', properties: { contentType: 'text/x' } });
  expect((await events.take(2))[1]).toMatchObject({ disconnectReason: 'CLIENT_INITIATED_DISCONNECT' });
});

test('a delayed will is discarded when the client resumes its session in time', async () => {
  const { broker, publications } = await startTestBroker();
  const will = { topic: 'gone', payload: Buffer.from('w'), qos: 0, properties: { willDelayInterval: 100 } };
  const session = { clean: false, properties: { sessionExpiryInterval: 600 } };
  const first = await rawClient(broker);
  await first.connect('c', { ...session, will });
  await (await rawClient(broker)).connect('c', session);
  await broker.publish({ topic: 'fence', payload: '' });
  expect(await publications.next()).toMatchObject({ topic: 'fence' });
});

test('a session without a connection ends when it expires, and its will is published then', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { broker, events, publications } = await startTestBroker();
    const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const will = { topic: 'gone', payload: Buffer.from('w'), qos: 0, properties: { willDelayInterval: 900 } };
    const first = await rawClient(broker);
    await first.connect('c', { ...session, will });
    first.socket.destroy();
    await events.take(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await publications.next()).toMatchObject({ topic: 'gone' });
    expect(await (await rawClient(broker)).connect('c', session)).toMatchObject({ sessionPresent: false });
  } finally {
    vi.useRealTimers();
  }
});

test('unacknowledged messages do not exceed the client’s receive maximum', async () => {
  const { broker } = await startTestBroker();
  const client = await rawClient(broker);
  await client.connect('narrow', { properties: { receiveMaximum: 2 } });
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] });
  await client.next();
  for (const payload of ['1', '2', '3']) await broker.publish({ topic: 't', payload, qos: 1 });
  const first = await client.next();
  await client.next();
  client.send({ cmd: 'pingreq' });
  expect(await client.next()).toMatchObject({ cmd: 'pingresp' });
  client.send({ cmd: 'puback', messageId: first.messageId!, reasonCode: 0 });
  expect(await client.next()).toMatchObject({ cmd: 'publish' });
});

test('an expired message is not delivered; another has its remaining expiry interval', async () => {
  let now = 0;
  const { broker } = await startTestBroker({ now: () => now });
  const session = { clean: false, properties: { sessionExpiryInterval: 600 } };
  const first = await rawClient(broker);
  await first.connect('late', session);
  first.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] });
  await first.next();
  first.send({ cmd: 'disconnect', reasonCode: 0 });
  await first.closed;
  for (const messageExpiryInterval of [5, 60]) {
    await broker.publish({ topic: 't', payload: '', qos: 1, properties: { messageExpiryInterval } });
  }
  now = 10_000;
  const again = await rawClient(broker);
  await again.connect('late', session);
  expect(await again.next()).toMatchObject({ cmd: 'publish', properties: { messageExpiryInterval: 50 } });
});

test('retain handling, retain as published, no local', async () => {
  const { broker } = await startTestBroker();
  await broker.publish({ topic: 't', payload: 'kept', retain: true });
  const client = await mqttClient(broker);
  await client.subscribeAsync('t', { qos: 0, rh: 2 });
  await client.subscribeAsync('t', { qos: 0, rh: 1 });
  await client.subscribeAsync('u', { qos: 0, nl: true });
  await client.subscribeAsync('t', { qos: 0, rh: 0, rap: true });
  await client.publishAsync('u', 'own', { qos: 1 });
  await broker.publish({ topic: 't', payload: 'live', retain: true });
  expect(await client.inbox.next()).toMatchObject({ text: 'kept' });
  expect(await client.inbox.next()).toMatchObject({ text: 'live', packet: { retain: true } });
});

test('a message that a leaving member did not acknowledge goes to another; with none online it waits for a persistent session', async () => {
  const { broker, events } = await startTestBroker();
  const subscribe = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$share/g/t', qos: 1 }] } as const;
  const left = await rawClient(broker);
  await left.connect('left');
  left.send({ ...subscribe, subscriptions: [...subscribe.subscriptions] });
  await left.next();
  await broker.publish({ topic: 't', payload: '1', qos: 1 });
  await left.next();
  const session = { clean: false, properties: { sessionExpiryInterval: 600 } };
  const kept = await mqttClient(broker, { clientId: 'kept', ...session });
  await kept.subscribeAsync('$share/g/t', { qos: 1 });
  left.socket.destroy();
  expect(await kept.inbox.next()).toMatchObject({ text: '1' });
  await kept.endAsync();
  await disconnected(events, 'kept');
  await broker.publish({ topic: 't', payload: '2', qos: 1 });
  const back = await rawClient(broker);
  await back.connect('kept', session);
  expect(await back.next()).toMatchObject({ cmd: 'publish', topic: 't' });
});

test('an empty client id is assigned, except for a persistent session of MQTT 3.1.1', async () => {
  const { broker } = await startTestBroker();
  const connack = await (await rawClient(broker, 5)).connect('');
  expect(connack).toMatchObject({
    reasonCode: 0,
    properties: { assignedClientIdentifier: expect.stringMatching(/./) },
  });
  expect(await (await rawClient(broker, 4)).connect('')).toMatchObject({ returnCode: 0 });
  const refused = await rawClient(broker, 4);
  refused.socket.write(Buffer.from([0x10, 12, 0, 4, 77, 81, 84, 84, 4, 0, 0, 60, 0, 0]));
  expect(await refused.next()).toMatchObject({ returnCode: 2 });
  await refused.closed;
});

test('MQTT 3.1 is refused with return code 1', async () => {
  const { broker } = await startTestBroker();
  const client = await rawClient(broker, 4);
  const refused = await client.connect('old', { protocolId: 'MQIsdp', protocolVersion: 3 });
  expect(refused).toMatchObject({ cmd: 'connack', returnCode: 1 });
  await client.closed;
});

test('broker.disconnect ends a connection', async () => {
  const { broker, events } = await startTestBroker();
  const client = await mqttClient(broker, { clientId: 'c' });
  const closed = new Promise<void>((resolve) => client.on('close', resolve));
  broker.disconnect('nobody');
  broker.disconnect('c');
  await closed;
  expect((await events.take(2))[1]).toMatchObject({ disconnectReason: 'API_INITIATED_DISCONNECT' });
});

async function disconnected(events: Recorder<LifecycleEvent>, clientId: string): Promise<void> {
  for (;;) {
    const event = await events.next();
    if (event.eventType === 'disconnected' && event.clientId === clientId) return;
  }
}

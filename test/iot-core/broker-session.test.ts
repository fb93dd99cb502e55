import { describe, expect, test, vi } from 'vitest';
import type { LifecycleEvent } from '../../localstack/iot-core/broker/broker.ts';
import { brokerFor, clientOf, type Log, wireTo } from './broker-harness.ts';

const kept = { 4: { clean: false }, 5: { clean: false, properties: { sessionExpiryInterval: 600 } } } as const;

describe.each([4, 5] as const)('MQTT version %i', (protocolVersion) => {
  const session = { protocolVersion, ...kept[protocolVersion] };

  test('a kept session gets the QoS 1 messages it missed, in order', async () => {
    const { broker } = await brokerFor();
    const first = await clientOf(broker, { ...session, clientId: 'kept' });
    await first.subscribeAsync('t', { qos: 1 });
    await first.endAsync();
    await broker.publish({ topic: 't', payload: 'lost', qos: 0 });
    for (const payload of ['1', '2', '3']) await broker.publish({ topic: 't', payload, qos: 1 });
    const wire = await wireTo(broker, protocolVersion);
    expect(await wire.hello('kept', session)).toMatchObject({ sessionPresent: true });
    for (const text of ['1', '2', '3']) {
      const packet = await wire.next();
      expect(packet).toMatchObject({ cmd: 'publish', qos: 1, dup: false });
      expect(packet.cmd === 'publish' && packet.payload.toString()).toBe(text);
    }
  });

  test('what was not acknowledged comes again as a duplicate with its packet id', async () => {
    const { broker, events } = await brokerFor();
    const wire = await wireTo(broker, protocolVersion);
    await wire.hello('kept', session);
    wire.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] });
    await wire.next();
    await broker.publish({ topic: 't', payload: 'x', qos: 1 });
    const sent = await wire.next();
    wire.socket.destroy();
    while ((await events.next()).eventType !== 'disconnected');
    const again = await wireTo(broker, protocolVersion);
    await again.hello('kept', session);
    expect(await again.next()).toMatchObject({ cmd: 'publish', dup: true, messageId: sent.messageId });
  });

  test('a clean start forgets the session', async () => {
    const { broker } = await brokerFor();
    const first = await clientOf(broker, { ...session, clientId: 'kept' });
    await first.subscribeAsync('t', { qos: 1 });
    await first.endAsync();
    const wire = await wireTo(broker, protocolVersion);
    expect(await wire.hello('kept', { clean: true })).toMatchObject({ sessionPresent: false });
    await broker.publish({ topic: 't', payload: 'x', qos: 1 });
    wire.send({ cmd: 'pingreq' });
    expect(await wire.next()).toMatchObject({ cmd: 'pingresp' });
  });

  test('retained messages go to exact-topic subscriptions only', async () => {
    const { broker } = await brokerFor();
    await broker.publish({ topic: 'state/1', payload: 'on', qos: 1, retain: true });
    const reader = await clientOf(broker, { protocolVersion });
    await reader.subscribeAsync(['state/#', 'state/+', '$share/g/state/1'], { qos: 1 });
    await reader.subscribeAsync('state/1', { qos: 1 });
    await broker.publish({ topic: 'state/2', payload: 'live', qos: 1, retain: true });
    expect(await reader.inbox.next()).toMatchObject({ topic: 'state/1', text: 'on', packet: { retain: true } });
    expect(await reader.inbox.next()).toMatchObject({ topic: 'state/2', text: 'live', packet: { retain: false } });
    await broker.publish({ topic: 'state/1', payload: '', retain: true });
    const late = await clientOf(broker, { protocolVersion });
    await late.subscribeAsync('state/1');
    await broker.publish({ topic: 'state/1', payload: 'fence' });
    expect(await late.inbox.next()).toMatchObject({ text: 'fence' });
  });

  test('a shared subscription gives each message to one member, each group its own copy', async () => {
    const { broker } = await brokerFor();
    const members = await Promise.all([1, 2].map(() => clientOf(broker, { protocolVersion })));
    for (const member of members) await member.subscribeAsync('$share/workers/job/+', { qos: 1 });
    const audit = await clientOf(broker, { protocolVersion });
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
    const { broker, events } = await brokerFor();
    const old = await wireTo(broker, protocolVersion);
    await old.hello('twin');
    await clientOf(broker, { protocolVersion, clientId: 'twin' });
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

  test('a will is published unless the client says goodbye', async () => {
    const { broker, publications } = await brokerFor();
    const will = { topic: 'gone', payload: Buffer.from('will'), qos: 1, retain: false } as const;
    const polite = await clientOf(broker, { protocolVersion, clientId: 'polite', will });
    await polite.endAsync();
    const rude = await wireTo(broker, protocolVersion);
    await rude.hello('rude', { will });
    rude.socket.destroy();
    expect(await publications.next()).toMatchObject({ topic: 'gone', clientId: 'rude', qos: 1 });
  });

  test('a silent client is dropped after one and a half keep-alives', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { broker, events } = await brokerFor();
      const wire = await wireTo(broker, protocolVersion);
      await wire.hello('silent', { keepalive: 40 });
      await vi.advanceTimersByTimeAsync(59_000);
      wire.send({ cmd: 'pingreq' });
      await wire.next();
      await vi.advanceTimersByTimeAsync(59_000);
      wire.send({ cmd: 'pingreq' });
      await wire.next();
      await vi.advanceTimersByTimeAsync(60_000);
      await wire.closed;
      expect((await events.take(2))[1]).toMatchObject({ disconnectReason: 'MQTT_KEEP_ALIVE_TIMEOUT' });
    } finally {
      vi.useRealTimers();
    }
  });
});

test('DISCONNECT with will (0x04) publishes it', async () => {
  const { broker, publications, events } = await brokerFor();
  const wire = await wireTo(broker);
  await wire.hello('c', {
    will: { topic: 'gone', payload: Buffer.from('w'), qos: 0, properties: { contentType: 'text/x' } },
  });
  wire.send({ cmd: 'disconnect', reasonCode: 0x04 });
  expect(await publications.next()).toMatchObject({ topic: 'gone', properties: { contentType: 'text/x' } });
  expect((await events.take(2))[1]).toMatchObject({ disconnectReason: 'CLIENT_INITIATED_DISCONNECT' });
});

test('a delayed will is void when the client comes back in time', async () => {
  const { broker, publications } = await brokerFor();
  const will = { topic: 'gone', payload: Buffer.from('w'), qos: 0, properties: { willDelayInterval: 100 } };
  const session = { clean: false, properties: { sessionExpiryInterval: 600 } };
  const first = await wireTo(broker);
  await first.hello('c', { ...session, will });
  await (await wireTo(broker)).hello('c', session);
  await broker.publish({ topic: 'fence', payload: '' });
  expect(await publications.next()).toMatchObject({ topic: 'fence' });
});

test('a session without a connection ends when it expires, and its will is published then', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { broker, events, publications } = await brokerFor();
    const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const will = { topic: 'gone', payload: Buffer.from('w'), qos: 0, properties: { willDelayInterval: 900 } };
    const first = await wireTo(broker);
    await first.hello('c', { ...session, will });
    first.socket.destroy();
    await events.take(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await publications.next()).toMatchObject({ topic: 'gone' });
    expect(await (await wireTo(broker)).hello('c', session)).toMatchObject({ sessionPresent: false });
  } finally {
    vi.useRealTimers();
  }
});

test('no more messages are under way than the client’s receive maximum', async () => {
  const { broker } = await brokerFor();
  const wire = await wireTo(broker);
  await wire.hello('narrow', { properties: { receiveMaximum: 2 } });
  wire.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] });
  await wire.next();
  for (const payload of ['1', '2', '3']) await broker.publish({ topic: 't', payload, qos: 1 });
  const first = await wire.next();
  await wire.next();
  wire.send({ cmd: 'pingreq' });
  expect(await wire.next()).toMatchObject({ cmd: 'pingresp' });
  wire.send({ cmd: 'puback', messageId: first.messageId!, reasonCode: 0 });
  expect(await wire.next()).toMatchObject({ cmd: 'publish' });
});

test('an expired message is not delivered, another with what is left of its time', async () => {
  let now = 0;
  const { broker } = await brokerFor({ now: () => now });
  const session = { clean: false, properties: { sessionExpiryInterval: 600 } };
  const first = await wireTo(broker);
  await first.hello('late', session);
  first.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] });
  await first.next();
  first.send({ cmd: 'disconnect', reasonCode: 0 });
  await first.closed;
  for (const messageExpiryInterval of [5, 60]) {
    await broker.publish({ topic: 't', payload: '', qos: 1, properties: { messageExpiryInterval } });
  }
  now = 10_000;
  const again = await wireTo(broker);
  await again.hello('late', session);
  expect(await again.next()).toMatchObject({ cmd: 'publish', properties: { messageExpiryInterval: 50 } });
});

test('retain handling, retain as published, no local', async () => {
  const { broker } = await brokerFor();
  await broker.publish({ topic: 't', payload: 'kept', retain: true });
  const client = await clientOf(broker);
  await client.subscribeAsync('t', { qos: 0, rh: 2 });
  await client.subscribeAsync('t', { qos: 0, rh: 1 });
  await client.subscribeAsync('u', { qos: 0, nl: true });
  await client.subscribeAsync('t', { qos: 0, rh: 0, rap: true });
  await client.publishAsync('u', 'own', { qos: 1 });
  await broker.publish({ topic: 't', payload: 'live', retain: true });
  expect(await client.inbox.next()).toMatchObject({ text: 'kept' });
  expect(await client.inbox.next()).toMatchObject({ text: 'live', packet: { retain: true } });
});

test('what a leaving member did not acknowledge goes to another; with none online it waits for a kept session', async () => {
  const { broker, events } = await brokerFor();
  const subscribe = { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$share/g/t', qos: 1 }] } as const;
  const left = await wireTo(broker);
  await left.hello('left');
  left.send({ ...subscribe, subscriptions: [...subscribe.subscriptions] });
  await left.next();
  await broker.publish({ topic: 't', payload: '1', qos: 1 });
  await left.next();
  const session = { clean: false, properties: { sessionExpiryInterval: 600 } };
  const kept = await clientOf(broker, { clientId: 'kept', ...session });
  await kept.subscribeAsync('$share/g/t', { qos: 1 });
  left.socket.destroy();
  expect(await kept.inbox.next()).toMatchObject({ text: '1' });
  await kept.endAsync();
  await disconnected(events, 'kept');
  await broker.publish({ topic: 't', payload: '2', qos: 1 });
  const back = await wireTo(broker);
  await back.hello('kept', session);
  expect(await back.next()).toMatchObject({ cmd: 'publish', topic: 't' });
});

test('an empty client id is assigned, except to a 3.1.1 session to be kept', async () => {
  const { broker } = await brokerFor();
  const hello = await (await wireTo(broker, 5)).hello('');
  expect(hello).toMatchObject({ reasonCode: 0, properties: { assignedClientIdentifier: expect.stringMatching(/./) } });
  expect(await (await wireTo(broker, 4)).hello('')).toMatchObject({ returnCode: 0 });
  const refused = await wireTo(broker, 4);
  refused.socket.write(Buffer.from([0x10, 12, 0, 4, 77, 81, 84, 84, 4, 0, 0, 60, 0, 0]));
  expect(await refused.next()).toMatchObject({ returnCode: 2 });
  await refused.closed;
});

test('MQTT 3.1 is refused with return code 1', async () => {
  const { broker } = await brokerFor();
  const wire = await wireTo(broker, 4);
  const refused = await wire.hello('old', { protocolId: 'MQIsdp', protocolVersion: 3 });
  expect(refused).toMatchObject({ cmd: 'connack', returnCode: 1 });
  await wire.closed;
});

test('disconnect from inside', async () => {
  const { broker, events } = await brokerFor();
  const client = await clientOf(broker, { clientId: 'c' });
  const closed = new Promise<void>((resolve) => client.on('close', resolve));
  broker.disconnect('nobody');
  broker.disconnect('c');
  await closed;
  expect((await events.take(2))[1]).toMatchObject({ disconnectReason: 'API_INITIATED_DISCONNECT' });
});

async function disconnected(events: Log<LifecycleEvent>, clientId: string): Promise<void> {
  for (;;) {
    const event = await events.next();
    if (event.eventType === 'disconnected' && event.clientId === clientId) return;
  }
}

import { describe, expect, test } from 'vitest';
import { latch, mqttClient, Recorder, rawClient, startTestBroker } from './broker-harness.ts';

describe.each([4, 5] as const)('MQTT version %i', (protocolVersion) => {
  test('a publish reaches onPublish unchanged', async () => {
    const { broker, publications } = await startTestBroker({ now: () => 1234 });
    const client = await mqttClient(broker, { protocolVersion, clientId: 'sensor' });
    const payload = Buffer.from([0, 1, 0xff, 0xfe]);
    await client.publishAsync('a/b', payload, { qos: 0 });
    await client.publishAsync('a/c', payload, { qos: 1, retain: true });
    const [first, second] = await publications.take(2);
    expect(first).toMatchObject({
      topic: 'a/b',
      qos: 0,
      retain: false,
      clientId: 'sensor',
      protocolVersion,
      sourceIp: '127.0.0.1',
      timestamp: 1234,
    });
    expect(Buffer.from(first!.payload)).toEqual(payload);
    expect(second).toMatchObject({ topic: 'a/c', qos: 1, retain: true, principal: first!.principal });
    expect(second!.traceId).not.toBe(first!.traceId);
  });

  test('a subscriber gets each matching message once, at the lower QoS', async () => {
    const { broker } = await startTestBroker();
    const reader = await mqttClient(broker, { protocolVersion });
    await reader.subscribeAsync({ 'room/+/temp': { qos: 0 }, 'room/#': { qos: 1 }, '#': { qos: 0 } });
    const writer = await mqttClient(broker, { protocolVersion });
    await writer.publishAsync('room/1/temp', 'both', { qos: 1 });
    await writer.publishAsync('$aws/things/t/shadow/update', 'hidden from #', { qos: 1 });
    await writer.publishAsync('other', 'last', { qos: 1 });
    const [first, second] = await reader.inbox.take(2);
    expect(first).toMatchObject({ topic: 'room/1/temp', text: 'both', packet: { qos: 1, dup: false, retain: false } });
    expect(second).toMatchObject({ topic: 'other', packet: { qos: 0 } });
  });
});

test('the PUBACK waits for onPublish and keeps the order of the publishes', async () => {
  const latches = [latch(), latch()];
  const { broker } = await startTestBroker({ onPublish: ({ topic }) => latches[Number(topic)]!.opened });
  const client = await rawClient(broker);
  await client.connect('c');
  for (const topic of ['0', '1']) {
    client.send({
      cmd: 'publish',
      topic,
      payload: '',
      qos: 1,
      dup: false,
      retain: false,
      messageId: Number(topic) + 1,
    });
  }
  latches[1]!.open();
  client.send({ cmd: 'pingreq' });
  expect(await client.next()).toMatchObject({ cmd: 'pingresp' });
  latches[0]!.open();
  expect(await client.next()).toMatchObject({ cmd: 'puback', messageId: 1 });
  expect(await client.next()).toMatchObject({ cmd: 'puback', messageId: 2 });
});

test.each([
  ['rejects', () => Promise.reject(new Error('no'))],
  [
    'throws',
    () => {
      throw new Error('no');
    },
  ],
])('when onPublish %s there is an error and no PUBACK', async (_, onPublish) => {
  const { broker, errors } = await startTestBroker({
    onPublish: ({ topic }) => (topic === 'bad' ? onPublish() : undefined),
  });
  const client = await rawClient(broker);
  await client.connect('c');
  client.send({ cmd: 'publish', topic: 'bad', payload: '', qos: 1, dup: false, retain: false, messageId: 1 });
  client.send({ cmd: 'publish', topic: 'good', payload: '', qos: 1, dup: false, retain: false, messageId: 2 });
  expect(await client.next()).toMatchObject({ cmd: 'puback', messageId: 2 });
  expect((await errors.next()).message).toBe('no');
});

test('MQTT 5 properties arrive complete, with user properties in order and repeated keys', async () => {
  const { broker, publications } = await startTestBroker();
  const reader = await rawClient(broker);
  await reader.connect('reader');
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] });
  expect(await reader.next()).toMatchObject({ cmd: 'suback', granted: [1] });
  const writer = await rawClient(broker);
  await writer.connect('writer');
  const userProperties: [string, string][] = [
    ['a', '1'],
    ['b', ''],
    ['a', '2'],
    ['__proto__', 'x'],
    ['a', ''],
  ];
  const properties = {
    payloadFormatIndicator: true,
    messageExpiryInterval: 60,
    contentType: 'text/plain',
    responseTopic: 'answer',
    correlationData: Buffer.from([0, 255]),
    userProperties: userProperties.map((pair) => Object.fromEntries([pair])) as never,
  };
  writer.send({
    cmd: 'publish',
    topic: 't',
    payload: 'x',
    qos: 1,
    dup: false,
    retain: false,
    messageId: 1,
    properties,
  });
  expect((await publications.next()).properties).toEqual({
    payloadFormatIndicator: 1,
    messageExpiryInterval: 60,
    contentType: 'text/plain',
    responseTopic: 'answer',
    correlationData: Buffer.from([0, 255]),
    userProperties,
  });
  const delivered = await reader.next();
  expect(delivered).toMatchObject({
    cmd: 'publish',
    properties: { contentType: 'text/plain', responseTopic: 'answer', messageExpiryInterval: 60 },
  });
});

test('user properties are delivered in the publisher’s order', async () => {
  const { broker } = await startTestBroker();
  const reader = await rawClient(broker);
  await reader.connect('reader');
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 0 }] });
  await reader.next();
  const bytes = new Promise<Buffer>((resolve) => reader.socket.once('data', resolve));
  const userProperties: [string, string][] = [
    ['k1', 'v1'],
    ['k2', 'v2'],
    ['k1', 'v3'],
  ];
  await broker.publish({ topic: 't', payload: '', properties: { userProperties } });
  expect((await bytes).toString('latin1').match(/[kv]\d/g)).toEqual(userProperties.flat());
});

test('a topic alias stands for its topic', async () => {
  const { broker, publications } = await startTestBroker();
  const client = await rawClient(broker);
  expect(await client.connect('c')).toMatchObject({ properties: { maximumQoS: 1, topicAliasMaximum: 8 } });
  for (const topic of ['long/topic', '']) {
    client.send({
      cmd: 'publish',
      topic,
      payload: '',
      qos: 0,
      dup: false,
      retain: false,
      properties: { topicAlias: 3 },
    });
  }
  expect((await publications.take(2)).map(({ topic }) => topic)).toEqual(['long/topic', 'long/topic']);
});

test('Basic Ingest reaches onPublish and no subscriber', async () => {
  const { broker, publications } = await startTestBroker();
  const client = await mqttClient(broker);
  await client.subscribeAsync('#');
  await expect(client.subscribeAsync('$aws/rules/r/#')).rejects.toThrow();
  await client.publishAsync('$aws/rules/r/a/b/c/d/e/f/g/h', 'x', { qos: 1 });
  expect(await publications.next()).toMatchObject({ topic: '$aws/rules/r/a/b/c/d/e/f/g/h' });
});

test('broker.publish reaches subscribers and onPublish, and rejects when onPublish does', async () => {
  const refusal = new Error('refused');
  const { broker } = await startTestBroker({
    onPublish: ({ topic }) => (topic === 'no' ? Promise.reject(refusal) : undefined),
  });
  const client = await mqttClient(broker);
  await client.subscribeAsync('yes', { qos: 1 });
  await broker.publish({ topic: 'yes', payload: 'hi', qos: 1 });
  expect(await client.inbox.next()).toMatchObject({ text: 'hi', packet: { qos: 1 } });
  await expect(broker.publish({ topic: 'no', payload: '' })).rejects.toBe(refusal);
  await expect(broker.publish({ topic: 'a/+', payload: '' })).rejects.toThrow(
    'expected a topic name without wildcards',
  );
});

test('reading pauses at 100 publishes that onPublish has not settled', async () => {
  const held = latch();
  let started = 0;
  const { broker, publications } = await startTestBroker({
    onPublish: () => {
      started += 1;
      return held.opened;
    },
  });
  const client = await rawClient(broker);
  await client.connect('c');
  for (let n = 0; n < 1000; n += 1)
    client.send({ cmd: 'publish', topic: 't', payload: '', qos: 0, dup: false, retain: false });
  client.send({ cmd: 'pingreq' });
  await publications.take(100);
  await mqttClient(broker);
  expect(started).toBe(100);
  held.open();
  expect(await client.next()).toMatchObject({ cmd: 'pingresp' });
  expect(started).toBe(1000);
});

test('close waits for onPublish, acknowledges and sends DISCONNECT', async () => {
  const held = latch();
  const { broker, publications } = await startTestBroker({ onPublish: () => held.opened });
  const client = await rawClient(broker);
  await client.connect('c');
  client.send({ cmd: 'publish', topic: 't', payload: '', qos: 1, dup: false, retain: false, messageId: 7 });
  await publications.next();
  const closing = broker.close();
  held.open();
  await closing;
  expect(await client.next()).toMatchObject({ cmd: 'puback', messageId: 7 });
  expect(await client.next()).toMatchObject({ cmd: 'disconnect', reasonCode: 0x8b });
  await client.closed;
});

test('a client that breaks a rule is disconnected, and the reason reported in words', async () => {
  const ended = new Recorder<[string | undefined, string]>();
  const { broker } = await startTestBroker({ onDisconnect: (...of) => ended.add(of) });
  const client = await mqttClient(broker, { clientId: 'd1', reconnectPeriod: 0 });
  client.publish('a/b/c/d/e/f/g/h/i', 'x', { qos: 1 });
  expect(await ended.next()).toEqual([
    'd1',
    expect.stringMatching(/^topic: got a.b.*; expected at most .* 7 slashes$/),
  ]);
});

import { describe, expect, test } from 'vitest';
import { brokerFor, clientOf, gate, wireTo } from './broker-harness.ts';

describe.each([4, 5] as const)('MQTT version %i', (protocolVersion) => {
  test('a publish reaches onPublish as it was sent', async () => {
    const { broker, publications } = await brokerFor({ now: () => 1234 });
    const client = await clientOf(broker, { protocolVersion, clientId: 'sensor' });
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

  test('subscribers get what matches, at the lower QoS, once however many filters match', async () => {
    const { broker } = await brokerFor();
    const reader = await clientOf(broker, { protocolVersion });
    await reader.subscribeAsync({ 'room/+/temp': { qos: 0 }, 'room/#': { qos: 1 }, '#': { qos: 0 } });
    const writer = await clientOf(broker, { protocolVersion });
    await writer.publishAsync('room/1/temp', 'both', { qos: 1 });
    await writer.publishAsync('$aws/things/t/shadow/update', 'hidden from #', { qos: 1 });
    await writer.publishAsync('other', 'last', { qos: 1 });
    const [first, second] = await reader.inbox.take(2);
    expect(first).toMatchObject({ topic: 'room/1/temp', text: 'both', packet: { qos: 1, dup: false, retain: false } });
    expect(second).toMatchObject({ topic: 'other', packet: { qos: 0 } });
  });
});

test('the PUBACK waits for onPublish and keeps the order of the publishes', async () => {
  const gates = [gate(), gate()];
  const { broker } = await brokerFor({ onPublish: ({ topic }) => gates[Number(topic)]!.opened });
  const wire = await wireTo(broker);
  await wire.hello('c');
  for (const topic of ['0', '1']) {
    wire.send({ cmd: 'publish', topic, payload: '', qos: 1, dup: false, retain: false, messageId: Number(topic) + 1 });
  }
  gates[1]!.open();
  wire.send({ cmd: 'pingreq' });
  expect(await wire.next()).toMatchObject({ cmd: 'pingresp' });
  gates[0]!.open();
  expect(await wire.next()).toMatchObject({ cmd: 'puback', messageId: 1 });
  expect(await wire.next()).toMatchObject({ cmd: 'puback', messageId: 2 });
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
  const { broker, errors } = await brokerFor({ onPublish: ({ topic }) => (topic === 'bad' ? onPublish() : undefined) });
  const wire = await wireTo(broker);
  await wire.hello('c');
  wire.send({ cmd: 'publish', topic: 'bad', payload: '', qos: 1, dup: false, retain: false, messageId: 1 });
  wire.send({ cmd: 'publish', topic: 'good', payload: '', qos: 1, dup: false, retain: false, messageId: 2 });
  expect(await wire.next()).toMatchObject({ cmd: 'puback', messageId: 2 });
  expect((await errors.next()).message).toBe('no');
});

test('MQTT 5 properties arrive whole, user properties in order with their repeats', async () => {
  const { broker, publications } = await brokerFor();
  const reader = await wireTo(broker);
  await reader.hello('reader');
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] });
  expect(await reader.next()).toMatchObject({ cmd: 'suback', granted: [1] });
  const writer = await wireTo(broker);
  await writer.hello('writer');
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

test('user properties leave in the order they came', async () => {
  const { broker } = await brokerFor();
  const reader = await wireTo(broker);
  await reader.hello('reader');
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
  const { broker, publications } = await brokerFor();
  const wire = await wireTo(broker);
  expect(await wire.hello('c')).toMatchObject({ properties: { maximumQoS: 1, topicAliasMaximum: 8 } });
  for (const topic of ['long/topic', '']) {
    wire.send({ cmd: 'publish', topic, payload: '', qos: 0, dup: false, retain: false, properties: { topicAlias: 3 } });
  }
  expect((await publications.take(2)).map(({ topic }) => topic)).toEqual(['long/topic', 'long/topic']);
});

test('Basic Ingest reaches onPublish and no subscriber', async () => {
  const { broker, publications } = await brokerFor();
  const client = await clientOf(broker);
  await client.subscribeAsync('#');
  await expect(client.subscribeAsync('$aws/rules/r/#')).rejects.toThrow();
  await client.publishAsync('$aws/rules/r/a/b/c/d/e/f/g/h', 'x', { qos: 1 });
  expect(await publications.next()).toMatchObject({ topic: '$aws/rules/r/a/b/c/d/e/f/g/h' });
});

test('publish from inside goes to subscribers and onPublish, and tells of a refusal', async () => {
  const refusal = new Error('refused');
  const { broker } = await brokerFor({
    onPublish: ({ topic }) => (topic === 'no' ? Promise.reject(refusal) : undefined),
  });
  const client = await clientOf(broker);
  await client.subscribeAsync('yes', { qos: 1 });
  await broker.publish({ topic: 'yes', payload: 'hi', qos: 1 });
  expect(await client.inbox.next()).toMatchObject({ text: 'hi', packet: { qos: 1 } });
  await expect(broker.publish({ topic: 'no', payload: '' })).rejects.toBe(refusal);
  await expect(broker.publish({ topic: 'a/+', payload: '' })).rejects.toThrow('not a topic name');
});

test('a fast publisher is not read further than 100 unsettled publishes', async () => {
  const held = gate();
  let taken = 0;
  const { broker, publications } = await brokerFor({
    onPublish: () => {
      taken += 1;
      return held.opened;
    },
  });
  const wire = await wireTo(broker);
  await wire.hello('c');
  for (let n = 0; n < 1000; n += 1)
    wire.send({ cmd: 'publish', topic: 't', payload: '', qos: 0, dup: false, retain: false });
  wire.send({ cmd: 'pingreq' });
  await publications.take(100);
  await clientOf(broker);
  expect(taken).toBe(100);
  held.open();
  expect(await wire.next()).toMatchObject({ cmd: 'pingresp' });
  expect(taken).toBe(1000);
});

test('close waits for onPublish, acknowledges, says goodbye', async () => {
  const held = gate();
  const { broker, publications } = await brokerFor({ onPublish: () => held.opened });
  const wire = await wireTo(broker);
  await wire.hello('c');
  wire.send({ cmd: 'publish', topic: 't', payload: '', qos: 1, dup: false, retain: false, messageId: 7 });
  await publications.next();
  const closing = broker.close();
  held.open();
  await closing;
  expect(await wire.next()).toMatchObject({ cmd: 'puback', messageId: 7 });
  expect(await wire.next()).toMatchObject({ cmd: 'disconnect', reasonCode: 0x8b });
  await wire.closed;
});

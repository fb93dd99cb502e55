import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';
import { expect, test } from 'vitest';
import type { Broker } from '../../localstack/iot-core/broker/broker.ts';
import { FrameReader } from '../../localstack/iot-core/broker/frames.ts';
import { runs } from '../support/property-runs.ts';
import { mqttClient, rawClient, startTestBroker } from './broker-harness.ts';

function valid(protocolVersion: 4 | 5): Buffer[] {
  const will = {
    topic: 'w',
    payload: Buffer.from('will'),
    qos: 1,
    retain: false,
    properties: { contentType: 'x' },
  } as const;
  const properties = {
    userProperties: { a: ['1', '2'], b: '3' },
    contentType: 'x',
    topicAlias: 1,
    messageExpiryInterval: 9,
  };
  const packets: Packet[] = [
    {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion,
      clientId: 'x',
      clean: true,
      keepalive: 9,
      will,
      properties: { receiveMaximum: 3 },
    },
    { cmd: 'publish', topic: 'a/b', payload: 'payload', qos: 1, dup: false, retain: true, messageId: 1, properties },
    {
      cmd: 'subscribe',
      messageId: 2,
      subscriptions: [
        { topic: 'a/+', qos: 1 },
        { topic: '$share/g/#', qos: 0 },
      ],
    },
    { cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['a/+'] },
    { cmd: 'puback', messageId: 1, reasonCode: 0 },
    { cmd: 'pingreq' },
    { cmd: 'disconnect', reasonCode: 4, properties: { sessionExpiryInterval: 5 } },
  ];
  return packets.map((packet) => generate(packet, { protocolVersion }));
}

/** The bytes of a conversation, some of them changed, removed or added. */
const mutated = fc
  .record({
    version: fc.constantFrom(4 as const, 5 as const),
    order: fc.array(fc.nat(6), { maxLength: 8 }),
    changes: fc.array(fc.record({ at: fc.nat(400), byte: fc.nat(255), drop: fc.nat(2), add: fc.boolean() }), {
      maxLength: 4,
    }),
  })
  .map(({ version, order, changes }) => {
    const packets = valid(version);
    const bytes = [...Buffer.concat([packets[0]!, ...order.map((index) => packets[index]!)])];
    for (const { at, byte, drop, add } of changes) bytes.splice(at % bytes.length, drop, ...(add ? [byte] : []));
    for (const { at, byte } of changes.slice(0, 1)) bytes[at % bytes.length] = byte;
    return Buffer.from(bytes);
  });

async function sendAndClose(broker: Broker, bytes: Buffer): Promise<void> {
  const client = await rawClient(broker);
  client.socket.removeAllListeners('data').resume().end(bytes);
  await client.closed;
}

test('no bytes from a client stop the broker', async () => {
  const errors: Error[] = [];
  const { broker } = await startTestBroker({ onError: (error) => errors.push(error) });
  const anything = fc.oneof(
    mutated,
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(anything, (bytes) => sendAndClose(broker, bytes)),
    { numRuns: runs(400) },
  );
  expect(errors).toEqual([]);
  const client = await mqttClient(broker);
  await client.subscribeAsync('alive', { qos: 1 });
  await client.publishAsync('alive', 'yes', { qos: 1 });
  expect(await client.inbox.next()).toMatchObject({ text: 'yes' });
});

test('packets are read alike, whatever chunks they arrive in', async () => {
  const { broker, publications } = await startTestBroker();
  const bytes = Buffer.concat(valid(5).slice(0, 2));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 5 }), async (cuts) => {
      const client = await rawClient(broker);
      client.socket.setNoDelay(true);
      const ends = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      for (let index = 1; index < ends.length; index += 1) {
        await new Promise<void>((resolve) =>
          client.socket.write(bytes.subarray(ends[index - 1], ends[index]), () => resolve()),
        );
      }
      let publication = await publications.next();
      while (publication.topic !== 'a/b') publication = await publications.next();
      expect(publication.properties.userProperties).toEqual([
        ['a', '1'],
        ['a', '2'],
        ['b', '3'],
      ]);
      client.socket.destroy();
    }),
    { numRuns: runs(50) },
  );
});

test('frames leave the reader unchanged, whatever chunks they arrive in', () => {
  const frame = fc.uint8Array({ maxLength: 300 }).map((body) => {
    const length = body.length < 128 ? [body.length] : [(body.length % 128) | 128, body.length >> 7];
    return Buffer.from([0x30, ...length, ...body]);
  });
  fc.assert(
    fc.property(fc.array(frame), fc.integer({ min: 1, max: 50 }), (frames, size) => {
      const reader = new FrameReader(1000);
      const bytes = Buffer.concat(frames);
      const seen: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        reader.push(bytes.subarray(at, at + size));
        for (let next = reader.next(); next !== undefined; next = reader.next()) seen.push(next);
      }
      expect(seen).toEqual(frames);
    }),
  );
});

test.each(['\uFFFE', '\uFFFF'])(
  'a client is disconnected, and its message not acknowledged, for %j in a topic, a client id or a property',
  async (text) => {
    const { broker } = await startTestBroker();
    const publish = { cmd: 'publish', payload: '', qos: 1, dup: false, retain: false, messageId: 1 } as const;
    for (const packet of [
      { ...publish, topic: `a/${text}` },
      { ...publish, topic: 'a', properties: { userProperties: { a: text } } },
    ]) {
      const client = await rawClient(broker, 5);
      await client.connect('c');
      client.send(packet);
      expect(await client.next()).toMatchObject({ cmd: 'disconnect' });
    }
    const client = await rawClient(broker, 5);
    expect(await client.connect(text)).toMatchObject({ cmd: 'connack', reasonCode: 0x85 });
  },
);

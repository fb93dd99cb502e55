import fc from 'fast-check';
import { generate, type IPublishPacket, type Packet } from 'mqtt-packet';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type ConnectOptions, connectMqtt } from '../../../lambdas/net/mqtt/connect.ts';
import type { MqttConnection } from '../../../lambdas/net/mqtt/connection.ts';
import { connackOf, type PeerConnection, type PeerOptions, startMqttPeer } from '../../support/mqtt-peer.ts';
import { runs } from '../../support/property-runs.ts';

const LONG_MS = 60_000;
const SHORT_MS = 20;
const VERSIONS = [3, 4, 5] as const;

const message = (text: string, qos: 0 | 1 | 2 = 1) => ({ topic: 't', payload: text, qos, retain: false });
const bytes = (packet: Packet) => generate(packet, { protocolVersion: 5 });
const publishes = ({ received }: PeerConnection) =>
  received.filter((packet): packet is IPublishPacket => packet.cmd === 'publish');

async function start(options: PeerOptions = {}) {
  const peer = await startMqttPeer(options);
  onTestFinished(() => peer.close());
  const connect = (over: Partial<ConnectOptions> = {}) =>
    connectMqtt({
      address: `127.0.0.1:${peer.port}`,
      tls: false,
      clientId: 'c',
      clean: true,
      protocolVersion: options.protocolVersion ?? 5,
      keepaliveSeconds: 0,
      timeoutMs: LONG_MS,
      ...over,
    });
  const connected = async (over: Partial<ConnectOptions> = {}) => {
    const connection = await connect(over);
    onTestFinished(() => connection.destroy());
    return connection;
  };
  return { peer, connect, connected };
}

/** How a promise ends. */
const endOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: Error) => error.name,
  );

describe('an attempt to connect', () => {
  const silent = { script: { connect: () => {} } };

  it('ends with its time', async () => {
    const { connect } = await start(silent);
    await expect(connect({ timeoutMs: SHORT_MS })).rejects.toMatchObject({ name: 'NoAnswerError' });
  });

  it.each([
    ['the broker hangs up', ({ socket }: PeerConnection) => socket.end(), 'closed the connection without a CONNACK'],
    ['the broker resets it', ({ socket }: PeerConnection) => socket.resetAndDestroy(), 'without a CONNACK'],
    ['another packet comes', ({ send }: PeerConnection) => send({ cmd: 'pingresp' }), 'got PINGRESP; expected CONNACK'],
    ['the server speaks HTTP', ({ socket }: PeerConnection) => socket.write('HTTP/1.1 400\r\n\r\n'), 'MQTT'],
    ['the CONNACK is empty', ({ socket }: PeerConnection) => socket.write(Buffer.of(0x20, 0)), 'without a code'],
  ])('ends when %s', async (_, answer, reason) => {
    const { connect } = await start({ script: { connect: (_, connection) => answer(connection) } });
    await expect(connect()).rejects.toMatchObject({
      name: 'ConnectionClosedError',
      message: expect.stringContaining(reason),
    });
  });

  it.each(VERSIONS)('reports the code of a refusal: version %i', async (protocolVersion) => {
    const code = protocolVersion === 5 ? 0x9f : 5;
    const { connect } = await start({
      protocolVersion,
      script: { connect: (_, { send }) => send(connackOf(code, protocolVersion)) },
    });
    await expect(connect()).rejects.toMatchObject({ name: 'ConnectionRefusedError', code, protocolVersion });
  });

  it('hands over the stored messages that come in one chunk with the CONNACK', async () => {
    const stored = [1, 2, 3].map((messageId) => ({
      cmd: 'publish' as const,
      dup: false,
      messageId,
      ...message(`${messageId}`),
    }));
    const { peer, connected } = await start({
      script: {
        connect: (_, { socket }) => socket.write(Buffer.concat([connackOf(0), ...stored].map(bytes))),
      },
    });
    const received: string[] = [];
    await connected({
      onMessage(packet, connection) {
        received.push(`${packet.payload}`);
        connection.acknowledge(packet);
      },
    });
    await vi.waitUntil(() => peer.connections[0]!.received.filter(({ cmd }) => cmd === 'puback').length === 3);
    expect(received).toEqual(['1', '2', '3']);
  });
});

describe('a connection', () => {
  const mute = { script: { publish: () => {}, pingreq: () => {}, subscribe: () => {}, unsubscribe: () => {} } };
  const startAll = (connection: MqttConnection, ms: number) => [
    connection.publish(message('a', 0), ms),
    connection.publish(message('b', 1), ms),
    connection.publish(message('c', 2), ms),
    connection.subscribe([{ topic: 't', qos: 1 }], ms),
    connection.unsubscribe(['t'], ms),
    connection.ping(ms),
  ];

  it('settles every promise when the broker ends it, and refuses what comes later', async () => {
    const { peer, connected } = await start(mute);
    const connection = await connected();
    const ends = startAll(connection, LONG_MS).map(endOf);
    await vi.waitUntil(() => publishes(peer.connections[0]!).length === 3);
    peer.connections[0]!.send({ cmd: 'disconnect', reasonCode: 0x8b });
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['ConnectionClosedError']));
    expect(await connection.closed).toMatchObject({ code: 0x8b, isByClient: false });
    const later = startAll(connection, LONG_MS).map((promise) => promise.catch((error) => error));
    for (const error of await Promise.all(later))
      expect(error).toMatchObject({ name: 'ConnectionClosedError', code: 0x8b, isByClient: false });
  });

  it.each(['end', 'resetAndDestroy'] as const)('settles every promise when its socket ends: %s', async (how) => {
    const { peer, connected } = await start(mute);
    const ends = startAll(await connected(), LONG_MS).map(endOf);
    await vi.waitUntil(() => publishes(peer.connections[0]!).length === 3);
    peer.connections[0]!.socket[how]();
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['ConnectionClosedError']));
  });

  it('settles every promise when it is destroyed or disconnected', async () => {
    const { connected } = await start(mute);
    for (const end of ['destroy', 'disconnect'] as const) {
      const connection = await connected();
      const ends = startAll(connection, LONG_MS).map(endOf);
      await connection[end]();
      expect(new Set(await Promise.all(ends))).toEqual(new Set(['ConnectionClosedError']));
      expect(await connection.closed).toMatchObject({ isByClient: true });
    }
  });

  it.each([0, 1, 2, 3, 4, 5])('is closed by a packet without an answer (%i)', async (at) => {
    const { peer, connected } = await start(mute);
    const connection = await connected();
    const others = endOf(connection.publish(message('other'), LONG_MS));
    const short = startAll(connection, SHORT_MS);
    for (const [index, promise] of short.entries()) if (index !== at) promise.catch(() => {});
    expect(['NoAnswerError', 'ConnectionClosedError']).toContain(await endOf(short[at]!));
    expect(await others).toBe('ConnectionClosedError');
    expect(await connection.closed).toMatchObject({ isByClient: true, cause: { name: 'NoAnswerError' } });
    await vi.waitUntil(() => peer.connections[0]!.socket.destroyed);
  });

  it('waits for PUBCOMP with QoS 2, and reports what PUBREC said', async () => {
    let release: () => void = () => {};
    const { peer, connected } = await start({
      script: {
        publish: ({ messageId }, { send }) => {
          // What answers nothing is ignored.
          send({ cmd: 'puback', messageId: messageId!, reasonCode: 0x87 });
          send({ cmd: 'pubcomp', messageId: messageId!, reasonCode: 0x92 });
          send({ cmd: 'suback', messageId: messageId!, granted: [0x80] });
          send({ cmd: 'puback', messageId: 4_711, reasonCode: 0x87 });
          send({ cmd: 'pubrec', messageId: messageId!, reasonCode: 0x10 });
          send({ cmd: 'pubrec', messageId: messageId!, reasonCode: 0x10 });
        },
        pubrel: ({ messageId }, { send }) => {
          release = () => send({ cmd: 'pubcomp', messageId: messageId!, reasonCode: 0x92 });
        },
      },
    });
    const connection = await connected();
    let code: number | undefined;
    const published = connection.publish(message('a', 2), LONG_MS).then((found) => {
      code = found;
    });
    await connection.ping(LONG_MS);
    await connection.ping(LONG_MS);
    expect(peer.connections[0]!.received.filter(({ cmd }) => cmd === 'pubrel')).toHaveLength(1);
    expect(code).toBeUndefined();
    release();
    await published;
    // The identifier was unknown to the broker by then (0x92); the message had been accepted.
    expect(code).toBe(0x10);
  });

  it('reports a PUBREC that refuses, without PUBREL', async () => {
    const { peer, connected } = await start({
      script: {
        publish: ({ messageId }, { send }) => send({ cmd: 'pubrec', messageId: messageId!, reasonCode: 0x97 }),
      },
    });
    const connection = await connected();
    expect(await connection.publish(message('a', 2), LONG_MS)).toBe(0x97);
    await connection.ping(LONG_MS);
    expect(peer.connections[0]!.received.some(({ cmd }) => cmd === 'pubrel')).toBe(false);
  });

  it('confirms QoS 0 by the PINGRESP that follows, one for messages of one turn', async () => {
    let hold = true;
    const held: (() => void)[] = [];
    const { peer, connected } = await start({
      script: {
        pingreq: (_, { send }) => {
          if (hold) held.push(() => send({ cmd: 'pingresp' }));
          else send({ cmd: 'pingresp' });
        },
      },
    });
    const connection = await connected();
    const done: string[] = [];
    const all = ['a', 'b', 'c'].map(async (text) => {
      await connection.publish(message(text, 0), LONG_MS);
      done.push(text);
    });
    await vi.waitUntil(() => held.length === 1);
    expect(publishes(peer.connections[0]!).map(({ payload }) => `${payload}`)).toEqual(['a', 'b', 'c']);
    expect(done).toEqual([]);
    hold = false;
    for (const send of held) send();
    await Promise.all(all);
    expect(peer.connections[0]!.received.filter(({ cmd }) => cmd === 'pingreq')).toHaveLength(1);
  });

  it('uses no packet identifier that has no answer yet, and begins anew after 65,535', async () => {
    const owed = new Set<number>();
    const { peer, connected } = await start({
      script: {
        publish: (packet, { send }) => {
          const { messageId, payload } = packet as IPublishPacket;
          expect(owed.has(messageId!)).toBe(false);
          if (`${payload}` === 'keep') owed.add(messageId!);
          else send({ cmd: 'puback', messageId: messageId!, reasonCode: 0 });
        },
      },
    });
    const connection = await connected();
    const kept = [0, 1].map(() => endOf(connection.publish(message('keep'), LONG_MS)));
    for (let sent = 0; sent < 70_000; sent += 1_000)
      await Promise.all(Array.from({ length: 1_000 }, () => connection.publish(message('a'), LONG_MS)));
    const ids = publishes(peer.connections[0]!).map(({ messageId }) => messageId!);
    expect(Math.max(...ids)).toBe(65_535);
    expect(ids.slice(0, 4)).toEqual([1, 2, 3, 4]);
    // 1 and 2 were still owed when the numbers began anew.
    expect(ids.filter((id) => id <= 2)).toEqual([1, 2]);
    expect(ids.filter((id) => id === 3)).toHaveLength(2);
    connection.destroy();
    await Promise.all(kept);
  });

  it("pings by the broker's keep-alive, and closes when no answer comes", async () => {
    const { peer, connected } = await start({ connack: { serverKeepAlive: 1 }, script: { pingreq: () => {} } });
    const connection = await connected({ keepaliveSeconds: 60_000 });
    expect(await connection.closed).toMatchObject({ isByClient: true, cause: { name: 'NoAnswerError' } });
    expect(peer.connections[0]!.received.some(({ cmd }) => cmd === 'pingreq')).toBe(true);
  });

  it('reports whether the last acknowledgement before its end refused a message', async () => {
    const { peer, connected } = await start({
      script: {
        publish: (packet, { send }) => {
          const { messageId, payload } = packet as IPublishPacket;
          send({ cmd: 'puback', messageId: messageId!, reasonCode: Number(`${payload}`) });
        },
      },
    });
    for (const [code, isExplained] of [
      [0, false],
      [0x10, false],
      [0x87, true],
    ] as const) {
      const connection = await connected();
      expect(await connection.publish(message(`${code}`), LONG_MS)).toBe(code);
      peer.connections.at(-1)!.socket.end();
      expect(await connection.closed).toMatchObject({ isExplained, isByClient: false });
    }
  });
});

describe('packets that no broker should send', () => {
  it('end the connection at worst, whatever their bytes are', async () => {
    let answer: Uint8Array = Buffer.of();
    const { peer, connect } = await start({
      script: {
        connect: (_, { socket }) => socket.write(Buffer.concat([bytes(connackOf(0)), answer])),
        publish: ({ messageId }, { socket, send }) => {
          socket.write(answer);
          send({ cmd: 'puback', messageId: messageId!, reasonCode: 0 });
          // What the client takes for the beginning of a packet stays without an end.
          setImmediate(() => socket.end());
        },
      },
    });
    // Types in the high bits, flags in the low ones; short lengths, so that many packets are complete.
    const packet = fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 12 }))
      .map(([type, body]) => Buffer.from([type, body.length, ...body]));
    const noise = fc.oneof(fc.array(packet, { maxLength: 4 }).map(Buffer.concat), fc.uint8Array({ maxLength: 60 }));
    const failures: unknown[] = [];
    const onFailure = (error: unknown) => failures.push(error);
    process.on('uncaughtException', onFailure).on('unhandledRejection', onFailure);
    onTestFinished(() => {
      process.off('uncaughtException', onFailure).off('unhandledRejection', onFailure);
    });
    await fc.assert(
      fc.asyncProperty(noise, async (bytes) => {
        answer = bytes;
        const connection = await connect({ onMessage: () => {} }).catch(() => undefined);
        const ends = connection && startAllOf(connection).map(endOf);
        await Promise.all(ends ?? []);
        connection?.destroy();
        expect(failures).toEqual([]);
      }),
      { numRuns: runs(600) },
    );
    expect(peer.connections.length).toBeGreaterThan(0);
  });

  const startAllOf = (connection: MqttConnection) =>
    ([0, 1, 2] as const).map((qos) => connection.publish(message('a', qos), 5_000));

  it('are refused for the length that they claim, before it is read', async () => {
    const claim = Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]);
    const { connected, peer } = await start();
    const connection = await connected();
    peer.connections[0]!.socket.write(claim);
    expect((await connection.closed).message).toMatch(/a packet of \d+ bytes or more; expected at most 16777216/);
  });

  it('may be as large as the client allows, and no larger, however they are cut', async () => {
    const { connected, peer } = await start();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
        async (limit, cuts) => {
          for (const over of [0, 1]) {
            const received: number[] = [];
            const connection = await connected({
              maxPacketBytes: limit + 3,
              onMessage: ({ payload }) => received.push(payload.length),
            });
            const { socket, received: sent, send } = peer.connections.at(-1)!;
            expect(sent[0]).toMatchObject({ properties: { maximumPacketSize: limit + 3 } });
            // Three bytes of the topic, one of the properties.
            const stream = bytes({ cmd: 'publish', dup: false, ...message('x'.repeat(limit - 1 + over), 0) });
            for (let at = 0, n = 0; at < stream.length; n++) {
              const next = at + cuts[n % cuts.length]!;
              socket.write(stream.subarray(at, next));
              at = next;
            }
            send({ cmd: 'disconnect', reasonCode: 0 });
            const { message: reason } = await connection.closed;
            expect(received).toEqual(over === 0 ? [limit - 1] : []);
            expect(reason).toMatch(over === 0 ? /^DISCONNECT/ : /a packet of/);
          }
        },
      ),
      { numRuns: runs(60) },
    );
  });
});

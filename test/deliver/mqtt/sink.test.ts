import type { IPublishPacket } from 'mqtt-packet';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Resolved } from '../../../lambdas/core/deploy-time.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { type MqttOptions, mqttOptions } from '../../../lambdas/deliver/mqtt/config.ts';
import type { MqttRequest } from '../../../lambdas/deliver/mqtt/message.ts';
import { mqttSink } from '../../../lambdas/deliver/mqtt/sink.ts';
import type { Outcome } from '../../../lambdas/deliver/sink.ts';
import { systemClock } from '../../../lambdas/net/clock.ts';
import { openClient } from '../../../lambdas/net/mqtt/client.ts';
import {
  connackOf,
  type MqttPeer,
  type PeerConnection,
  type PeerOptions,
  startMqttPeer,
} from '../../support/mqtt-peer.ts';

const minute = { remainingMs: () => 60_000 };

const request = (text: string, over: Partial<MqttRequest> = {}): MqttRequest => ({
  topic: 't',
  isTopicRendered: false,
  payload: Buffer.from(text),
  qos: 1,
  retain: false,
  isRetainRendered: false,
  properties: { userProperties: [] },
  ...over,
});
const requests = (count: number, over: Partial<MqttRequest> = {}) =>
  Array.from({ length: count }, (_, n) => request(`${n}`, over));
const statusOf = (outcome: Outcome) => (outcome.status === 'never' ? outcome.error.code : outcome.status);
const publishesOf = ({ received }: PeerConnection) =>
  received.filter((packet): packet is IPublishPacket => packet.cmd === 'publish');
const textsOf = (peer: MqttPeer) => peer.connections.flatMap(publishesOf).map(({ payload }) => `${payload}`);

async function start({ sink: over = {}, ...peerOptions }: PeerOptions & { readonly sink?: object } = {}) {
  const peer = await startMqttPeer(peerOptions);
  const { server } = peer;
  const { protocolVersion = 5 } = peerOptions;
  const options = parseOptions(mqttOptions, {
    type: 'mqtt',
    server,
    topic: 't',
    protocolVersion,
    ...over,
  }) as Resolved<MqttOptions>;
  const skew = { wallMs: 0, monotonicMs: 0 };
  const clock = {
    ...systemClock,
    wallMs: () => systemClock.wallMs() + skew.wallMs,
    monotonicMs: () => systemClock.monotonicMs() + skew.monotonicMs,
  };
  const log: object[] = [];
  const client = () => openClient({ options, ca: undefined, env: {}, readSecret: async () => '', clock });
  const sink = mqttSink(options, client, { clock, log: (entry) => log.push(entry) });
  onTestFinished(async () => {
    await sink.close();
    await peer.close();
  });
  const deliver = async (requests: readonly MqttRequest[], context = minute) =>
    (await sink.deliver(requests, context)).map(statusOf);
  return { peer, sink, deliver, log, skew };
}

describe("the broker's limits", () => {
  it('a receive maximum of 10 is kept by 500 messages', async () => {
    let owed = 0;
    let most = 0;
    const { deliver } = await start({
      connack: { receiveMaximum: 10 },
      script: {
        publish: ({ messageId }, { send }) => {
          most = Math.max(most, ++owed);
          setImmediate(() => {
            owed--;
            send({ cmd: 'puback', messageId: messageId!, reasonCode: 0 });
          });
        },
      },
    });
    expect(await deliver(requests(500))).toEqual(requests(500).map(() => 'delivered'));
    expect(most).toBe(10);
  });

  it('QoS is lowered to its maximum', async () => {
    const { peer, deliver } = await start({ connack: { maximumQoS: 1 } });
    expect(await deliver(([0, 1, 2] as const).map((qos) => request('a', { qos })))).toEqual(Array(3).fill('delivered'));
    expect(publishesOf(peer.connections[0]!).map(({ qos }) => qos)).toEqual([0, 1, 1]);
  });

  it('a retained message that it does not keep is the fault of the one that set the flag', async () => {
    const { peer, deliver } = await start({ connack: { retainAvailable: false } });
    const flags = [{}, { retain: true }, { retain: true, isRetainRendered: true }].map((over) => request('a', over));
    expect(await deliver(flags)).toEqual(['delivered', 'stop', 'REJECTED']);
    expect(textsOf(peer)).toEqual(['a']);
  });

  it('a packet above its maximum size is dead-lettered, with its properties', async () => {
    const { peer, deliver } = await start({ connack: { maximumPacketSize: 300 } });
    const sized = [100, 400].map((length) => request('x'.repeat(length)));
    const large = request('a', { properties: { userProperties: [['name', 'x'.repeat(300)]] } });
    expect(await deliver([...sized, large])).toEqual(['delivered', 'MESSAGE_TOO_LARGE', 'MESSAGE_TOO_LARGE']);
    expect(peer.connections).toHaveLength(1);
  });
});

describe('a pool', () => {
  /** Accepts two connections at a time and refuses more. */
  const limited = (refuse: (connection: PeerConnection) => void): PeerOptions => {
    let open = 0;
    return {
      script: {
        connect: (_, connection) => {
          if (open >= 2) return refuse(connection);
          open++;
          connection.socket.once('close', () => open--);
          connection.send(connackOf(0));
        },
      },
    };
  };

  it.each([
    ['a code', ({ send }: PeerConnection) => send(connackOf(0x97))],
    ['a code that no broker sends', ({ send }: PeerConnection) => send(connackOf(0x9f))],
    ['server busy', ({ send }: PeerConnection) => send(connackOf(0x89))],
    ['no word', ({ socket }: PeerConnection) => socket.resetAndDestroy()],
  ])('halves when the broker refuses some of its connections with %s, and logs it (C36)', async (_, refuse) => {
    const { peer, deliver, log } = await start({ ...limited(refuse), sink: { poolSize: 8, inflightWindow: 5 } });
    expect(await deliver(requests(80))).toEqual(requests(80).map(() => 'delivered'));
    expect(log).toMatchObject([
      { event: 'connection pool halved', from: 8, to: 4 },
      { event: 'connection pool halved', from: 4, to: 2 },
    ]);
    expect(textsOf(peer).toSorted()).toEqual(
      requests(80)
        .map(({ payload }) => `${payload}`)
        .toSorted(),
    );
    // It stays small.
    const before = peer.connections.length;
    expect(await deliver(requests(80))).toEqual(requests(80).map(() => 'delivered'));
    expect(peer.connections.length - before).toBeLessThanOrEqual(2);
    expect(log).toHaveLength(2);
  });

  it('stays unchanged when the broker refuses all connections', async () => {
    const { deliver, log } = await start({
      script: { connect: (_, { send }) => send(connackOf(0x97)) },
      sink: { poolSize: 8 },
    });
    expect(await deliver(requests(20))).toEqual(requests(20).map(() => 'retry'));
    expect(log).toEqual([]);
  });
});

describe('a broker that closes the connection', () => {
  /** Hangs up when a message with this text comes. */
  const refusing = (bad: string, end: (connection: PeerConnection) => void): PeerOptions => ({
    script: {
      publish: (packet, connection) => {
        const { messageId, payload } = packet as IPublishPacket;
        if (`${payload}` === bad) end(connection);
        else if (!connection.socket.writableEnded)
          connection.send({ cmd: 'puback', messageId: messageId!, reasonCode: 0 });
      },
    },
  });
  const hangUp = ({ socket }: PeerConnection) => socket.end();

  it.each([4, 5] as const)('blames one message, and delivers its neighbours: version %i', async (protocolVersion) => {
    const { deliver } = await start({ protocolVersion, ...refusing('7', hangUp) });
    const expected = requests(20).map((_, n) => (n === 7 ? 'REJECTED' : 'delivered'));
    expect(await deliver(requests(20, { isTopicRendered: true }))).toEqual(expected);
  });

  it('without a word stops a task that named the topic', async () => {
    const { deliver } = await start(refusing('7', hangUp));
    expect((await deliver(requests(20)))[7]).toBe('stop');
  });

  it('for another reason is owed the message, at once', async () => {
    for (const reasonCode of [0x89, 0x8b, 0x8d, 0x8e, 0x98, 0x9c, 0xa0]) {
      const { peer, deliver } = await start(refusing('0', ({ send }) => send({ cmd: 'disconnect', reasonCode })));
      expect([reasonCode, await deliver(requests(1, { isTopicRendered: true }))]).toEqual([reasonCode, ['retry']]);
      // A taken-over session is not taken back within a delivery.
      expect(peer.connections).toHaveLength(1);
    }
  });

  it('whatever it receives blames no message', async () => {
    let published = 0;
    const { deliver } = await start({
      script: {
        publish: (_, { socket }) => {
          published++;
          socket.end();
        },
        pingreq: (_, { socket }) => socket.end(),
      },
    });
    expect(await deliver(requests(5, { isTopicRendered: true }))).toEqual(Array(5).fill('retry'));
    expect(published).toBeLessThanOrEqual(5);
  });

  it('once delivers all messages within the same delivery', async () => {
    let isFirst = true;
    const { peer, deliver } = await start({
      script: {
        publish: (packet, { socket, send }) => {
          const { messageId } = packet as IPublishPacket;
          if (isFirst && messageId === 5) {
            isFirst = false;
            socket.end();
          } else if (!socket.writableEnded) send({ cmd: 'puback', messageId: messageId!, reasonCode: 0 });
        },
      },
    });
    expect(await deliver(requests(30, { isTopicRendered: true }))).toEqual(Array(30).fill('delivered'));
    expect(peer.connections).toHaveLength(2);
  });
});

describe('a broker that does not answer', () => {
  const silentFor = (isSilent: (text: string) => boolean): PeerOptions['script'] => ({
    publish: (packet, { send }) => {
      const { messageId, payload } = packet as IPublishPacket;
      if (!isSilent(`${payload}`)) send({ cmd: 'puback', messageId: messageId!, reasonCode: 0 });
    },
  });

  it('is owed its messages, which are published no second time in the same delivery', async () => {
    const { peer, deliver } = await start({ script: silentFor(() => true), sink: { publishTimeoutMs: 100 } });
    expect(await deliver(requests(30, { isTopicRendered: true }))).toEqual(Array(30).fill('retry'));
    expect(new Set(textsOf(peer)).size).toBe(textsOf(peer).length);
  });

  it('has published nothing that the time was too short for', async () => {
    const { peer, deliver } = await start({ sink: { publishTimeoutMs: 5_000 } });
    expect(await deliver(requests(3), { remainingMs: () => 999 })).toEqual(Array(3).fill('unsent'));
    expect(textsOf(peer)).toEqual([]);
    expect(await deliver(requests(3), { remainingMs: () => 2_000 })).toEqual(Array(3).fill('delivered'));
  });
});

describe('malformed answers', () => {
  it('owe the messages, and blame none', async () => {
    // 0x89 is no code of a PUBACK.
    const { deliver } = await start({
      script: { publish: (_, { socket }) => socket.write(Buffer.of(0x40, 3, 0, 1, 0x89)) },
    });
    expect(await deliver(requests(3, { isTopicRendered: true }))).toEqual(Array(3).fill('retry'));
  });

  it('a quota that is exceeded (0x97 in a PUBACK) is a passing failure', async () => {
    const { peer, deliver } = await start({
      script: {
        publish: (packet, { send }) => {
          const { messageId, payload } = packet as IPublishPacket;
          send({ cmd: 'puback', messageId: messageId!, reasonCode: `${payload}` === '1' ? 0x97 : 0 });
        },
      },
    });
    expect(await deliver(requests(3, { isTopicRendered: true }))).toEqual(['delivered', 'retry', 'delivered']);
    expect(peer.connections).toHaveLength(1);
  });
});

describe('a connection that was idle', () => {
  const pings = ({ received }: PeerConnection) => received.filter(({ cmd }) => cmd === 'pingreq').length;

  it.each([
    ['the wall clock moved on, as after a freeze', { wallMs: 60_000 }],
    ['the wall clock was set back', { wallMs: -60_000 }],
    ['both clocks moved on', { wallMs: 6_000, monotonicMs: 6_000 }],
  ])('is probed when %s', async (_, jump) => {
    const { peer, deliver, skew } = await start();
    await deliver(requests(5));
    expect(pings(peer.connections[0]!)).toBe(0);
    Object.assign(skew, jump);
    expect(await deliver(requests(50))).toEqual(Array(50).fill('delivered'));
    expect(pings(peer.connections[0]!)).toBe(1);
    expect(peer.connections).toHaveLength(1);
  });

  it('is replaced when it does not answer, and every message is published once', async () => {
    let isMute = false;
    const { peer, deliver, skew } = await start({
      script: {
        pingreq: (_, { send, number }) => {
          if (!isMute || number > 1) send({ cmd: 'pingresp' });
        },
      },
    });
    await deliver(requests(5));
    isMute = true;
    skew.wallMs = 3_600_000;
    expect(await deliver(requests(50))).toEqual(Array(50).fill('delivered'));
    expect(peer.connections.map((connection) => publishesOf(connection).length)).toEqual([5, 50]);
  });

  it('is not idle while a call waits for its answer', async () => {
    const held: (() => void)[] = [];
    const { peer, deliver, skew } = await start({
      script: {
        publish: ({ messageId }, { send }) => {
          held.push(() => send({ cmd: 'puback', messageId: messageId!, reasonCode: 0 }));
        },
      },
      sink: { publishTimeoutMs: 30_000 },
    });
    const first = deliver(requests(1));
    await vi.waitUntil(() => held.length === 1);
    skew.wallMs = 10_000;
    skew.monotonicMs = 10_000;
    const second = deliver(requests(1));
    await vi.waitUntil(() => held.length === 2);
    for (const answer of held) answer();
    expect([await first, await second]).toEqual([['delivered'], ['delivered']]);
    expect(pings(peer.connections[0]!)).toBe(0);
  });
});

describe('a connectivity test', () => {
  it('reports a broker that closes the connection instead of an answer', async () => {
    const { sink } = await start({ script: { pingreq: (_, { socket }) => socket.end() } });
    await expect(sink.testConnectivity()).rejects.toMatchObject({
      name: 'RetryLater',
      message: expect.stringContaining('MQTT: the broker closed the connection'),
    });
  });
});

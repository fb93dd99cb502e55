import { setTimeout as sleep } from 'node:timers/promises';
import type { IConnackPacket, ISubackPacket, Packet } from 'mqtt-packet';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SubscriptionError } from '../../../lambdas/source/mqtt/session.ts';
import { type MqttPeer, type PeerOptions, startMqttPeer } from '../../support/mqtt-peer.ts';
import { NOTHING_KNOWN, SlowBuffer, type SourceOptions, sourceOf } from '../../support/mqtt-source.ts';

const SECOND = { timeout: 10_000, interval: 5 };
const STOP_WITHIN_MS = 1_000;

describe('a session of an MQTT source', () => {
  let peer: MqttPeer;
  afterEach(() => peer?.close());

  interface Script extends PeerOptions {
    readonly sessionPresent?: boolean;
    /** Codes of the SUBACK. @default - QoS 1 for each filter */
    readonly granted?: number[];
  }

  async function start({ sessionPresent = false, granted, script = {}, ...options }: Script = {}) {
    const connack: IConnackPacket = { cmd: 'connack', sessionPresent, reasonCode: 0, returnCode: 0 };
    peer = await startMqttPeer({
      ...options,
      script: {
        connect: (_, { send }) => send({ ...connack, ...(options.connack && { properties: options.connack }) }),
        subscribe: (packet, { send }) => {
          const { subscriptions, messageId } = packet as Packet & { subscriptions: unknown[] };
          const codes = granted ?? subscriptions.map(() => 1);
          send({ cmd: 'suback', messageId: messageId!, granted: codes } as ISubackPacket);
        },
        unsubscribe: ({ messageId }, { send }) =>
          send({ cmd: 'unsuback', messageId: messageId!, granted: [0] } as Packet),
        ...script,
      },
    });
  }

  const source = (options: SourceOptions = {}, buffer = new SlowBuffer()) =>
    sourceOf(peer.server, buffer.store, options);
  const sent = () =>
    peer.connections.flatMap(({ received }) =>
      received.flatMap((packet): object[] => {
        if (packet.cmd === 'subscribe') return [{ subscribe: packet.subscriptions.map(({ topic }) => topic) }];
        return packet.cmd === 'unsubscribe' ? [{ unsubscribe: packet.unsubscriptions }] : [];
      }),
    );

  it('connects with a session that the broker keeps, and its window', async () => {
    await start();
    const session = await source({ receiveMaximum: 7, sessionExpirySeconds: 600 }).open(3, NOTHING_KNOWN);
    expect(peer.connections[0]!.received[0]).toMatchObject({
      clean: false,
      clientId: 'outflow01234567:3',
      properties: { receiveMaximum: 7, sessionExpiryInterval: 600 },
    });
    await session.stop(STOP_WITHIN_MS);
  });

  it('subscribes in one packet to a session that the broker does not have', async () => {
    await start();
    const session = await source({ filters: ['a', 'b/#'], shareGroup: 'g' }).open(1, {
      filters: ['$share/g/a', '$share/g/b/#', 'old'],
      isComplete: true,
    });
    await session.stop(STOP_WITHIN_MS);
    expect(sent()).toEqual([{ subscribe: ['$share/g/a', '$share/g/b/#'] }]);
  });

  it.each([
    ['not at all', 'the same', { filters: ['b', 'a'], isComplete: true }, []],
    ['again', 'perhaps not all', { filters: ['a', 'b'], isComplete: false }, [{ subscribe: ['a', 'b'] }]],
    [
      'again, without those removed,',
      'others',
      { filters: ['old', 'a'], isComplete: true },
      [{ unsubscribe: ['old'] }, { subscribe: ['a', 'b'] }],
    ],
    ['again', 'unknown', NOTHING_KNOWN, [{ subscribe: ['a', 'b'] }]],
  ])('subscribes %s if the broker has the session and its filters are %s', async (_, __, before, packets) => {
    await start({ sessionPresent: true });
    const session = await source({ filters: ['a', 'b'] }).open(1, before);
    await session.stop(STOP_WITHIN_MS);
    expect(sent()).toEqual(packets);
  });

  it('refuses a broker whose CONNACK states that it has no shared subscriptions', async () => {
    await start({ connack: { sharedSubscriptionAvailable: false } });
    const opened = source({ shareGroup: 'g' }).open(1, NOTHING_KNOWN);
    await expect(opened).rejects.toThrow(SubscriptionError);
    await expect(opened).rejects.toThrow('no shared subscriptions; remove shareGroup');
    expect(sent()).toEqual([]);
  });

  it('names the filters that the broker refuses', async () => {
    await start({ granted: [1, 0x87] });
    const opened = source({ filters: ['a', 'secret/#'] }).open(1, NOTHING_KNOWN);
    await expect(opened).rejects.toThrow(/subscription to secret\/#: .*0x87/);
  });

  it('stays connected while it does not read for longer than the keepalive', async () => {
    const publish = (n: number) =>
      ({ cmd: 'publish', topic: 'in/a', payload: `${n}`, qos: 1, messageId: n, retain: false, dup: false }) as const;
    await start({
      protocolVersion: 4,
      script: {
        pingreq: (_, { send, received }) => {
          if (received.filter(({ cmd }) => cmd === 'pingreq').length === 1) for (const n of [1, 2, 3]) send(publish(n));
          // The answer comes when the session has stopped reading.
          setTimeout(() => send({ cmd: 'pingresp' }), 100);
        },
      },
    });
    const buffer = new SlowBuffer(3_000);
    const session = await source({ protocolVersion: 4, keepaliveSeconds: 1, receiveMaximum: 1 }, buffer).open(
      1,
      NOTHING_KNOWN,
    );
    let end: Error | undefined;
    void session.ended.then((reason) => {
      end = reason;
    });
    await vi.waitUntil(() => buffer.texts.length === 3, SECOND);
    await sleep(100);
    expect(end).toBeUndefined();
    const acknowledged = peer.connections[0]!.received.filter(({ cmd }) => cmd === 'puback');
    expect(acknowledged.map(({ messageId }) => messageId)).toEqual([1, 2, 3]);
    await session.stop(STOP_WITHIN_MS);
  });

  it('ends with the reason of the broker, once what it writes is stored', async () => {
    await start({
      script: {
        subscribe: ({ messageId }, { send }) => {
          send({ cmd: 'suback', messageId: messageId!, granted: [1] } as ISubackPacket);
          send({ cmd: 'publish', topic: 'in/a', payload: 'x', qos: 1, messageId: 1, retain: false, dup: false });
          setTimeout(() => send({ cmd: 'disconnect', reasonCode: 0x8e }), 50);
        },
      },
    });
    const buffer = new SlowBuffer(300);
    const session = await source({}, buffer).open(1, NOTHING_KNOWN);
    expect(await session.ended).toMatchObject({ code: 0x8e });
    expect(buffer.texts).toEqual(['x']);
  });
});

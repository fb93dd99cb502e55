import { setTimeout as sleep } from 'node:timers/promises';
import type { IPublishPacket } from 'mqtt-packet';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Session } from '../../lambdas/source/mqtt/session.ts';
import { mqttBrokersHome as home, isInstalled } from '../../localstack/servers/mqtt-brokers/install.mjs';
import {
  type MqttBroker,
  type MqttBrokerOptions,
  startArtemis,
  startHiveMq,
  startMosquitto,
} from '../../localstack/servers/mqtt-brokers/start.ts';
import { changeConfiguration, handOver, killSource } from '../soak/mqtt-source.ts';
import { type Connected, connectMqtt } from '../support/mqtt-client.ts';
import {
  memorySlot,
  NOTHING_KNOWN,
  SlowBuffer,
  type SourceOptions,
  sourceOf,
  startTurn,
} from '../support/mqtt-source.ts';

const PATIENCE = { timeout: 60_000, interval: 10 };
const QOS_1 = { qos: 1 } as const;
const STOP_WITHIN_MS = 8_000;

interface Habits {
  readonly name: MqttBroker['name'];
  readonly start: (options: MqttBrokerOptions) => Promise<MqttBroker>;
  /** Whether a member of a shared subscription that is gone has its messages sent to another one. */
  readonly redistributes: boolean;
  /** Whether the broker sends unacknowledged messages again in their order, and no others. */
  readonly keepsOrder: boolean;
  /** Whether the broker sends what it has queued for a filter that is unsubscribed. */
  readonly keepsUnsubscribed: boolean;
}

const brokers: Habits[] = [
  { name: 'mosquitto', start: startMosquitto, redistributes: false, keepsOrder: true, keepsUnsubscribed: true },
  { name: 'hivemq', start: startHiveMq, redistributes: true, keepsOrder: true, keepsUnsubscribed: true },
  { name: 'artemis', start: startArtemis, redistributes: true, keepsOrder: false, keepsUnsubscribed: false },
];

describe.skipIf(!isInstalled(home)).each(brokers)('an MQTT source of $name', (habits) => {
  const { start, redistributes, keepsOrder, keepsUnsubscribed } = habits;
  let broker: MqttBroker;
  let remote: Connected;
  let slots = 0;

  beforeAll(async () => {
    broker = await start({ home, receiveMaximum: 10_000 });
    remote = await connectMqtt(url());
  });
  afterAll(async () => {
    await remote?.client.endAsync();
    await broker?.close();
  });

  const url = () => `mqtt://${broker.host}:${broker.port}`;
  /** A source with client ids of its own. */
  const fresh = (buffer: SlowBuffer, options: SourceOptions = {}) =>
    sourceOf(url(), buffer.store, { name: `source-${++slots}`, filters: [`in/${slots}/#`], ...options });
  const publish = (topic: string, texts: readonly string[], packet: Partial<IPublishPacket> = {}) =>
    Promise.all(texts.map((text) => remote.client.publishAsync(topic, text, { ...QOS_1, ...(packet as object) })));
  // Artemis sends messages again that were acknowledged before the disconnection.
  const neverTwice = ({ duplicates }: SlowBuffer) => {
    if (keepsOrder) expect(duplicates).toBe(0);
  };
  const numbered = (count: number, what = 'm') => Array.from({ length: count }, (_, i) => `${what} ${i}`);
  const stored = (buffer: SlowBuffer, texts: readonly string[]) =>
    vi.waitUntil(() => texts.every((text) => buffer.texts.includes(text)), PATIENCE);

  it('keeps to its window while the buffer is slow, and stays connected for longer than the keepalive', async () => {
    for (const protocolVersion of [4, 5] as const) {
      const buffer = new SlowBuffer(1_000);
      const source = fresh(buffer, { receiveMaximum: 20, keepaliveSeconds: 2, protocolVersion });
      const session = await source.open(1, NOTHING_KNOWN);
      let end: Error | undefined;
      void session.ended.then((reason) => {
        end = reason;
      });
      const texts = numbered(100);
      await publish(`in/${slots}/a`, texts);
      await stored(buffer, texts);
      expect(end).toBeUndefined();
      if (protocolVersion === 5) expect(buffer.texts.length).toBe(100);
      if (keepsOrder) expect(buffer.texts).toEqual(texts);
      await session.stop(STOP_WITHIN_MS);
      neverTwice(buffer);
    }
  });

  it('never has more unacknowledged messages than its window', async () => {
    const buffer = new SlowBuffer(300);
    const session = await fresh(buffer, { receiveMaximum: 20 }).open(1, NOTHING_KNOWN);
    await publish(`in/${slots}/a`, numbered(200));
    while (buffer.texts.length < 200) {
      expect(session.received - buffer.texts.length).toBeLessThanOrEqual(20);
      await sleep(5);
    }
    await session.stop(STOP_WITHIN_MS);
  });

  it('receives once what it has left unacknowledged when it stops, and what was published meanwhile', async () => {
    const buffer = new SlowBuffer(50);
    const source = fresh(buffer, { receiveMaximum: 100 });
    const session = await source.open(1, NOTHING_KNOWN);
    const texts = numbered(500);
    await publish(`in/${slots}/a`, texts);
    await session.stop(STOP_WITHIN_MS);
    const between = buffer.texts.length;
    expect(between).toBeLessThan(500);
    await publish(`in/${slots}/a`, ['later']);
    const next = await source.open(1, { filters: source.filters, isComplete: true });
    await stored(buffer, [...texts, 'later']);
    neverTwice(buffer);
    await next.stop(STOP_WITHIN_MS);
  });

  it('leaves to the broker what a buffer that does not answer has not stored, and stops in time', async () => {
    const buffer = new SlowBuffer(600_000);
    const source = fresh(buffer);
    const session = await source.open(1, NOTHING_KNOWN);
    await publish(`in/${slots}/a`, numbered(500));
    await vi.waitUntil(() => buffer.writing > 0, PATIENCE);
    await session.stop(100);
    buffer.latencyMs = 0;
    const next = await source.open(1, { filters: source.filters, isComplete: true });
    await stored(buffer, numbered(500));
    await next.stop(STOP_WITHIN_MS);
  });

  it('loses nothing when another connection takes its session, and stores nothing twice that it had not begun to store', async () => {
    const buffer = new SlowBuffer(500);
    const source = fresh(buffer, { receiveMaximum: 400 });
    const first = await source.open(1, NOTHING_KNOWN);
    const texts = numbered(1_000);
    await publish(`in/${slots}/a`, texts);
    await vi.waitUntil(() => buffer.writing > 0 && first.received > buffer.writing, PATIENCE);
    const second = await source.open(1, { filters: source.filters, isComplete: true });
    await first.ended;
    const begun = buffer.writing + buffer.texts.length;
    buffer.latencyMs = 1;
    await stored(buffer, texts);
    expect(buffer.duplicates).toBeLessThanOrEqual(begun);
    await second.stop(STOP_WITHIN_MS);
  });

  it('unsubscribes from filters that its configuration no longer has, and subscribes to new ones', async () => {
    const buffer = new SlowBuffer();
    const topic = (name: string) => `filters/${slots + 1}/${name}`;
    const [a, b, c] = ['a', 'b', 'c'].map(topic) as [string, string, string];
    const name = `filters-${slots + 1}`;
    const before = fresh(buffer, { name, filters: [a, b] });
    const first = await before.open(1, NOTHING_KNOWN);
    await first.stop(STOP_WITHIN_MS);
    await publish(a, ['while apart']);
    const after = sourceOf(url(), buffer.store, { name, filters: [b, c] });
    const second = await after.open(1, { filters: before.filters, isComplete: true });
    await publish(a, ['removed']);
    await publish(b, ['kept']);
    await publish(c, ['added']);
    const wanted = ['added', 'kept', ...(keepsUnsubscribed ? ['while apart'] : [])];
    await stored(buffer, wanted);
    await second.stop(STOP_WITHIN_MS);
    expect(buffer.texts.filter((text) => keepsUnsubscribed || text !== 'while apart').toSorted()).toEqual(wanted);
  });

  it('shares a subscription among its sessions, and loses nothing of a session that comes back', async () => {
    const buffer = new SlowBuffer();
    const source = fresh(buffer, { shareGroup: 'outflow', sessions: 2 });
    const [one, two] = [await source.open(1, NOTHING_KNOWN), await source.open(2, NOTHING_KNOWN)] as [Session, Session];
    await publish(`in/${slots}/a`, numbered(200));
    await stored(buffer, numbered(200));
    await one.stop(STOP_WITHIN_MS);
    await publish(`in/${slots}/a`, numbered(200, 'absent'));
    if (redistributes) await stored(buffer, numbered(200, 'absent'));
    const back = await source.open(1, { filters: source.filters, isComplete: true });
    await stored(buffer, numbered(200, 'absent'));
    neverTwice(buffer);
    await back.stop(STOP_WITHIN_MS);
    await two.stop(STOP_WITHIN_MS);
  });

  it('accepts QoS 2, once', async () => {
    const buffer = new SlowBuffer();
    const session = await fresh(buffer, { qos: 2 }).open(1, NOTHING_KNOWN);
    await publish(`in/${slots}/a`, numbered(50), { qos: 2 });
    await stored(buffer, numbered(50));
    await session.stop(STOP_WITHIN_MS);
    neverTwice(buffer);
  });

  it.each(['stop', 'kill'] as const)('goes on after a broker’s %s and restart', async (how) => {
    const buffer = new SlowBuffer();
    const source = fresh(buffer);
    const turn = startTurn(source, memorySlot());
    await vi.waitUntil(() => turn.session !== undefined, PATIENCE);
    await publish(`in/${slots}/a`, numbered(20, 'before'));
    await stored(buffer, numbered(20, 'before'));
    await remote.client.endAsync();
    await broker.save?.();
    await broker[how]();
    await broker.restart();
    remote = await connectMqtt(url());
    await publish(`in/${slots}/a`, numbered(20, 'after'));
    await stored(buffer, numbered(20, 'after'));
    turn.end();
    expect(await turn.result).toBe('the invocation ends');
  });
});

describe.skipIf(!isInstalled(home)).each([
  ['mosquitto', startMosquitto],
  ['hivemq', startHiveMq],
] as const)('an MQTT source of %s, at length', (_, start) => {
  let broker: MqttBroker;
  beforeAll(async () => {
    broker = await start({ home, receiveMaximum: 10_000 });
  });
  afterAll(() => broker?.close());

  it('hands over at 200 messages a second and a second for each write: none lost, none twice', async () => {
    const outcome = await handOver(broker, { handOvers: 3, perSecond: 200, latencyMs: 1_000 });
    expect(outcome).toMatchObject({ lost: 0, duplicates: 0, times: 3 });
  });

  it('receives by the filters of a new version, and loses nothing: four sources with 16 connections', async () => {
    const outcome = await changeConfiguration(broker, { sources: 4, sessions: 4 });
    expect(outcome).toMatchObject({ lost: 0, duplicates: 0, times: 16 });
  });

  it('loses nothing when its process is killed', async () => {
    const outcome = await killSource(broker, { kills: 5, messages: 1_000, perSecond: 200, seed: 1 });
    expect(outcome).toMatchObject({ published: 1_000, lost: 0, times: 5 });
  });
});

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MAX_TIME_MS } from '../../lambdas/deliver/rocketmq/constraints.ts';
import type { Message } from '../../lambdas/deliver/rocketmq/message.ts';
import type { Producer } from '../../lambdas/deliver/rocketmq/producer.ts';
import type { ProducerOptions } from '../../lambdas/deliver/rocketmq/remoting/options.ts';
import { openProducer } from '../../lambdas/deliver/rocketmq/remoting/producer.ts';
import type { Sent } from '../../lambdas/deliver/rocketmq/remoting/stored.ts';
import type { Outcome } from '../../lambdas/deliver/sink.ts';
import { rocketMqHome as home, isInstalled } from '../../localstack/servers/rocketmq/install.mjs';
import { type RocketMq, startRocketMq } from '../../localstack/servers/rocketmq/start.ts';
import { hostileMessages } from '../support/hostile-message.ts';
import { runs } from '../support/property-runs.ts';
import { sendWith } from '../support/rocketmq-send.ts';

const START_TIMEOUT_MS = 180_000;
const PATIENCE = { timeout: 60_000, interval: 100 };
/** The broker's limit in EMQX's document (A12): half of the MQTT payload limit of AWS IoT Core. */
const MAX_MESSAGE_BYTES = 65_536;
const USER = { accessKey: 'lambda-user', secretKey: 'lambda-secret', topics: ['Mine'] };

const verdicts = (outcomes: readonly (Sent | Outcome)[]) =>
  outcomes.map((outcome) => (outcome.status === 'never' ? outcome.error.code : outcome.status));
const text = (body: string, over: Partial<Message> = {}): Message => ({ body: Buffer.from(body), ...over });

describe.skipIf(!isInstalled(home)).each([5, 4] as const)(
  'remoting client, on RocketMQ %i',
  { timeout: START_TIMEOUT_MS },
  (version) => {
    let mq: RocketMq;
    let producer: Producer<Sent>;
    const open = (over: Partial<ProducerOptions> = {}) =>
      openProducer({ nameServers: ['127.0.0.1:1', mq.nameServer], timeoutMs: 10_000, ...over });

    beforeAll(async () => {
      mq = await startRocketMq({
        home,
        version,
        topics: ['Any', 'Groups', 'Large', 'Delayed', 'Hostile', 'Restart'].map((name) => ({ name })),
        autoCreateTopics: true,
        brokerSettings: { maxMessageSize: MAX_MESSAGE_BYTES },
      });
      producer = open();
    }, START_TIMEOUT_MS);
    afterAll(async () => {
      producer?.close();
      await mq?.close();
    });

    it('delivers every message that it reports as delivered: body, keys, tag, properties and place', async () => {
      const word = fc
        .string({ unit: 'grapheme', minLength: 1 })
        .filter(
          (value) =>
            !/[ |]|^[\0-\x20]|[\0-\x20]$/.test(value) &&
            !value.includes('\x01') &&
            !value.includes('\x02') &&
            value.trim() !== '',
        );
      const message: fc.Arbitrary<Message> = fc.record({
        body: fc.uint8Array({ minLength: 1 }),
        keys: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
        tag: fc.option(word, { nil: undefined }),
        properties: fc.dictionary(
          word.map((name) => `p-${name}`),
          word,
          { maxKeys: 4 },
        ),
      });
      const wanted = new Map<string, object>();
      await fc.assert(
        fc.asyncProperty(fc.array(message, { maxLength: 20 }), async (messages) => {
          (await sendWith(producer, 'Any', messages)).forEach((outcome, i) => {
            if (outcome.status !== 'delivered' || !('messageId' in outcome)) throw new Error(outcome.status);
            const { body, keys, tag, properties } = messages[i]!;
            wanted.set(outcome.messageId, {
              body: Buffer.from(body),
              keys: keys!.join(' '),
              ...(tag !== undefined && { tags: tag }),
              properties: expect.objectContaining({ ...properties }),
              queueId: outcome.queueId,
              queueOffset: outcome.offset,
            });
          });
        }),
        { numRuns: 20 },
      );
      const stored = await mq.consume('Any', { count: wanted.size });
      expect(stored.length).toBe(wanted.size);
      for (const one of stored) expect(one).toMatchObject(wanted.get(one.messageId)!);
      expect(new Set(stored.map(({ queueId }) => queueId)).size).toBe(4);
    });

    it('keeps the order of each group, in one queue', async () => {
      const sent = Array.from({ length: 300 }, (_, i) => text(`${i}`, { group: `g${i % 7}` }));
      expect(new Set(verdicts(await sendWith(producer, 'Groups', sent)))).toEqual(new Set(['delivered']));
      const stored = await mq.consume('Groups', { count: 300 });
      for (let g = 0; g < 7; g++) {
        const own = stored.filter(({ properties }) => properties['__SHARDINGKEY'] === `g${g}`);
        expect(new Set(own.map(({ queueId }) => queueId)).size).toBe(1);
        expect(own.map(({ body }) => Number(body))).toEqual(Array.from({ length: own.length }, (_, n) => g + 7 * n));
      }
    });

    it('learns the broker’s size limit, and refuses only messages above it (A12, F09)', async () => {
      const producer = open({ maxBatchMessages: 1_000 });
      const sizes = [
        ...Array(300).fill(1_000),
        MAX_MESSAGE_BYTES - 100,
        MAX_MESSAGE_BYTES + 1,
        ...Array(100).fill(900),
      ];
      const outcomes = await sendWith(
        producer,
        'Large',
        sizes.map((size, i) => ({ body: Buffer.alloc(size, i) })),
      );
      producer.close();
      expect(verdicts(outcomes)).toEqual(
        sizes.map((size) => (size > MAX_MESSAGE_BYTES ? 'MESSAGE_TOO_LARGE' : 'delivered')),
      );
      expect((await mq.consume('Large', { count: sizes.length - 1 })).length).toBe(sizes.length - 1);
    });

    it('delays messages by level or time', async () => {
      const deliverAtMs = Date.now() + 2_000;
      const outcomes = await sendWith(producer, 'Delayed', [
        text('now'),
        text('level', { delayLevel: 1 }),
        text('time', { deliverAtMs }),
      ]);
      // RocketMQ 4 would deliver a timed message at once.
      expect(verdicts(outcomes)).toEqual(['delivered', 'delivered', version === 4 ? 'REJECTED' : 'delivered']);
      const stored = await mq.consume('Delayed', { count: version === 4 ? 2 : 3 });
      const of = (body: string) => stored.find((one) => `${one.body}` === body);
      expect(of('level')!.storeTimestamp).toBeGreaterThan(of('now')!.storeTimestamp);
      if (version === 5) expect(of('time')!.storeTimestamp).toBeGreaterThanOrEqual(deliverAtMs);
    });

    it.each(['plain', 'group', 'time'] as const)(
      'delivers what a device makes a message of, or blames it: %s',
      async (type) => {
        await fc.assert(
          fc.asyncProperty(fc.array(hostileMessages(type), { maxLength: 10 }), async (messages) => {
            const outcomes = await sendWith(producer, 'Hostile', messages, {
              isTopicRendered: true,
              isTypeRendered: true,
            });
            for (const outcome of outcomes)
              expect(['delivered', 'never'], JSON.stringify(outcome)).toContain(outcome.status);
          }),
          { numRuns: runs(30) },
        );
      },
    );

    it('blames the message for what it renders: a time, or a name that the broker uses itself', async () => {
      expect(verdicts(await sendWith(producer, 'Any', [text('a', { deliverAtMs: MAX_TIME_MS })]))).toEqual([
        'REJECTED',
      ]);
      for (const topic of ['broker-a', 'DefaultCluster'])
        expect([topic, verdicts(await sendWith(producer, topic, [text('a')], { isTopicRendered: true }))]).toEqual([
          topic,
          ['INVALID_TARGET'],
        ]);
      const retryTopic = verdicts(await sendWith(producer, '%RETRY%billing', [text('a')], { isTopicRendered: true }));
      expect(retryTopic).toEqual(['INVALID_TARGET']);
    });

    it('delivers to the topics of its namespace', async () => {
      const instance = open({ namespace: 'inst' });
      expect(verdicts(await sendWith(instance, 'Any', [text('in the namespace')]))).toEqual(['delivered']);
      instance.close();
      await expect.poll(() => mq.count('inst%Any').catch(() => 'not there yet'), { timeout: 60_000 }).toBe(1);
      const [found] = await mq.consume('inst%Any', { count: 1 });
      expect(`${found!.body}`).toBe('in the namespace');
    });

    it('lets the broker create topics, unless autoCreateTopics is false', async () => {
      const strict = open({ autoCreateTopics: false });
      expect(verdicts(await sendWith(strict, 'Fresh', [text('a')]))).toEqual(['stop']);
      expect(verdicts(await sendWith(strict, 'Fresh', [text('a')], { isTopicRendered: true }))).toEqual([
        'INVALID_TARGET',
      ]);
      await expect(strict.testConnectivity('Fresh')).rejects.toMatchObject({ name: 'StopTask' });
      await expect(producer.testConnectivity('Fresh')).resolves.toMatchObject({ away: [] });
      await expect(mq.count('Fresh')).rejects.toThrow();
      expect(verdicts(await sendWith(producer, 'Fresh', [text('a'), text('b')]))).toEqual(['delivered', 'delivered']);
      // The broker registers the new topic with its name server later.
      await expect.poll(() => mq.count('Fresh').catch(() => 'not there yet'), { timeout: 60_000 }).toBe(2);
      expect((await mq.consume('Fresh', { count: 2 })).length).toBe(2);
      strict.close();
    });

    it('tests whether a broker would accept messages, and stores none', async () => {
      const before = await mq.count('Any');
      const { brokers, away } = await producer.testConnectivity('Any');
      expect([brokers.map(({ address }) => address), away]).toEqual([[mq.broker], []]);
      expect((await producer.testConnectivity()).brokers.length).toBe(1);
      expect(await mq.count('Any')).toBe(before);
    });

    it('loses no delivered message when broker and name server die, and goes on when they are back (F02, F19)', async () => {
      const producer = open({ timeoutMs: 2_000 });
      const delivered = new Set<string>();
      const seen = new Set<string>();
      let n = 0;
      let isOver = false;
      const traffic = (async () => {
        while (!isOver) {
          const bodies = Array.from({ length: 20 }, () => `${n++}`);
          (
            await sendWith(
              producer,
              'Restart',
              bodies.map((body) => text(body)),
            )
          ).forEach(({ status }, i) => {
            seen.add(status);
            if (status === 'delivered') delivered.add(bodies[i]!);
          });
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      })();
      await vi.waitUntil(() => delivered.size > 100, PATIENCE);
      await mq.stopBroker();
      await vi.waitUntil(() => seen.has('retry'), PATIENCE);
      await mq.startBroker();
      let before = delivered.size;
      await vi.waitUntil(() => delivered.size > before + 100, PATIENCE);
      await mq.stopNameServer();
      before = delivered.size;
      await vi.waitUntil(() => delivered.size > before + 100, PATIENCE);
      await mq.startNameServer();
      isOver = true;
      await traffic;
      producer.close();
      expect([...seen].sort()).toEqual(['delivered', 'retry']);
      const stored = new Set((await mq.consume('Restart', { count: delivered.size })).map(({ body }) => `${body}`));
      expect([...delivered].filter((body) => !stored.has(body))).toEqual([]);
    });
  },
);

describe.skipIf(!isInstalled(home)).each([5, 4] as const)(
  'remoting client, on RocketMQ %i with access control and TLS',
  { timeout: START_TIMEOUT_MS },
  (version) => {
    let mq: RocketMq;
    let tls: { ca: string };
    const sendAs = async (
      over: Partial<ProducerOptions>,
      topic: string,
      messages = [text('a')],
      isTopicRendered = false,
    ) => {
      const producer = openProducer({
        nameServers: [mq.nameServer],
        credentials: () => USER,
        tls,
        timeoutMs: 10_000,
        ...over,
      });
      const outcomes = await sendWith(producer, topic, messages, { isTopicRendered });
      const test = await producer.testConnectivity(topic).then(
        () => 'passes',
        ({ name }: Error) => name,
      );
      producer.close();
      return [...verdicts(outcomes), test];
    };

    beforeAll(async () => {
      const topics = [{ name: 'Mine' }, { name: 'Others' }];
      mq = await startRocketMq({ home, version, topics, acl: USER, tls: true });
      tls = { ca: readFileSync(mq.caFile!, 'utf8') };
    }, START_TIMEOUT_MS);
    afterAll(() => mq?.close());

    it('signs single messages and batches with any text', async () => {
      const unusual = text('ü', { keys: ['k€'], properties: { ü: 'é 😀', lone: '\ud800x', json: '{"a":"\\n"}' } });
      expect(await sendAs({}, 'Mine', [unusual])).toEqual(['delivered', 'passes']);
      expect(await sendAs({}, 'Mine', [unusual, unusual])).toEqual(['delivered', 'delivered', 'passes']);
      const token = { ...USER, securityToken: 'token' };
      expect(await sendAs({ credentials: () => token }, 'Mine')).toEqual(['delivered', 'passes']);
      const stored = await mq.consume('Mine', { count: 4 });
      expect(stored.filter(({ properties }) => properties['lone'] === '\ufffdx').length).toBe(3);
    });

    it('stops for wrong or missing credentials (F24)', async () => {
      const wrong = { ...USER, secretKey: 'wrong-secret' };
      const unknown = { ...USER, accessKey: 'unknown-user' };
      for (const credentials of [() => wrong, () => unknown, undefined])
        expect(await sendAs({ credentials }, 'Mine')).toEqual(['stop', 'StopTask']);
    });

    it('goes on with rotated credentials (F25)', async () => {
      const credentials = ({ refresh }: { refresh: boolean }) =>
        refresh ? USER : { ...USER, secretKey: 'old-secret' };
      expect(await sendAs({ credentials }, 'Mine')).toEqual(['delivered', 'passes']);
    });

    it('stops for a forbidden topic, unless a template named it: then the message is dead-lettered (F24)', async () => {
      expect(await sendAs({}, 'Others')).toEqual(['stop', 'StopTask']);
      expect(await sendAs({}, 'Others', [text('a')], true)).toEqual(['INVALID_TARGET', 'StopTask']);
    });

    it('stops for a certificate that is not trusted (F23)', async () => {
      expect(await sendAs({ tls: {} }, 'Mine')).toEqual(['stop', 'StopTask']);
      expect(await sendAs({ tls: { ...tls, servername: 'another.example' } }, 'Mine')).toEqual(['stop', 'StopTask']);
    });
  },
);

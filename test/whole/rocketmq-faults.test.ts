import { setTimeout as sleep } from 'node:timers/promises';
import { Duration } from 'aws-cdk-lib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, type TestContext, vi } from 'vitest';
import type { Stack as ReadStack } from '../../localstack/one-process/assembly.ts';
import { faultProxyHome, isInstalled as hasFaultProxy } from '../../localstack/servers/fault-proxy/install.mjs';
import { type FaultProxy, startFaultProxy, type Toxic } from '../../localstack/servers/fault-proxy/start.ts';
import { rocketMqHome as home, isInstalled } from '../../localstack/servers/rocketmq/install.mjs';
import { type RocketMq, startRocketMq } from '../../localstack/servers/rocketmq/start.ts';
import { openLinks, type RocketMqLinks } from '../support/rocketmq-links.ts';
import { balanced, type Declared, PATIENCE, startTask, synthesize, texts } from '../support/rocketmq-task.ts';

const START_TIMEOUT_MS = 180_000;
const MAX_MESSAGE_BYTES = 65_536;
const ONE_BY_ONE = { batchSize: 1 };
/** Five times the default: where no retry is expected, a busy machine must not cause one. */
const PATIENT = { syncTimeout: Duration.seconds(15) };

/** Tasks whose links get faults. Each has a topic of its name and links of its own. */
const LINKED: Readonly<Record<string, Pick<Declared, 'to'>>> = {
  Away: { to: PATIENT },
  Dies: { to: { batchSize: 10, produce: 'async', inflightWindow: 4 } },
  Late: { to: ONE_BY_ONE },
  Narrow: { to: ONE_BY_ONE },
  Mute: { to: ONE_BY_ONE },
  MuteAmid: { to: ONE_BY_ONE },
  MuteNameServer: { to: ONE_BY_ONE },
  Slow: { to: PATIENT },
  Again: { to: PATIENT },
  ResetUp: { to: PATIENT },
  ResetDown: { to: PATIENT },
  Sliced: { to: { batchSize: 10, ...PATIENT } },
  Cut: { to: { batchSize: 10 } },
};

describe.skipIf(!isInstalled(home) || !hasFaultProxy(faultProxyHome)).each([5, 4] as const)(
  'a task whose RocketMQ %i fails',
  { timeout: 300_000 },
  (version) => {
    let mq: RocketMq;
    let proxy: FaultProxy;
    let stacks: readonly ReadStack[];
    const linksOf = new Map<string, RocketMqLinks>();

    beforeAll(async () => {
      proxy = await startFaultProxy({ home: faultProxyHome });
      const others = ['Restarts', 'Large', 'Illegal', 'Names', 'Plain'];
      mq = await startRocketMq({
        home,
        version,
        topics: [...Object.keys(LINKED), ...others].map((name) => ({ name })),
        brokerSettings: { maxMessageSize: MAX_MESSAGE_BYTES },
      });
      const plain = (...nameServers: string[]) => ({ nameServers, tls: false });
      const tasks: Record<string, Declared> = {
        Restarts: { connector: () => plain(mq.nameServer), to: { batchSize: 20 } },
        Large: { connector: () => plain(mq.nameServer), to: PATIENT },
        Illegal: {
          connector: () => plain(mq.nameServer),
          to: {
            ...PATIENT,
            topic: '${payload.to}',
            topics: ['*'],
            tag: '$.data.body.tag',
            key: '$.data.body.key',
            delayLevel: '$.data.body.delay',
            properties: '$.data.body.properties',
          },
        },
        Names: { connector: () => plain('nowhere.invalid:9876', '127.0.0.1:1', mq.nameServer), to: PATIENT },
        Plain: { connector: () => ({ nameServers: [mq.nameServer] }) },
      };
      for (const [name, declared] of Object.entries(LINKED)) {
        const links = await openLinks(proxy, mq);
        linksOf.set(name, links);
        tasks[name] = { ...declared, connector: () => plain(links.nameServer.address) };
      }
      stacks = synthesize(tasks);
    }, START_TIMEOUT_MS);
    afterAll(async () => {
      for (const links of linksOf.values()) await links.remove();
      await proxy?.close();
      await mq?.close();
    });

    const start = async (test: TestContext, name: string, topic = name) => ({
      ...(await startTask(test, stacks, name, { mq, topic })),
      links: linksOf.get(name)!,
    });

    // These tests wait for timeouts more than they compute.
    describe('by its network', { concurrent: true }, () => {
      it('delivers once RocketMQ is up, which was down at first (F01)', async (test) => {
        const { links, task, reasons, publish, drained, books } = await start(test, 'Away');
        await links.down();
        await publish(texts(50));
        await vi.waitUntil(() => task.counters.retried >= 2 * 50, PATIENCE);
        expect([...reasons].join()).toContain('ECONNREFUSED');
        expect((await books()).delivered).toBe(0);
        await links.up();
        await drained();
        expect(await books()).toEqual(balanced(50, { duplicates: 0 }));
      });

      it('owes only unacknowledged messages when the broker goes down amid batches (F02)', async (test) => {
        const { links, task, publish, drained, books } = await start(test, 'Dies');
        await links.broker.add({ type: 'latency', latencyMs: 500 });
        await publish(texts(300));
        await vi.waitUntil(() => task.counters.outgoing > 0, PATIENCE);
        await links.broker.down();
        await vi.waitUntil(() => task.counters.retried > 0, PATIENCE);
        await links.repair();
        await drained();
        const found = await books();
        expect(found).toEqual(balanced(300));
        // The answers to at most four batches of ten were lost.
        expect(found.duplicates).toBeLessThanOrEqual(4 * 10);
      });

      const slow: [string, string, 'nameServer' | 'broker', Toxic[]][] = [
        ['a broker that answers too late', 'Late', 'broker', [{ type: 'latency', latencyMs: 10_000 }]],
        [
          'a broker that takes too little at a time',
          'Narrow',
          'broker',
          [{ type: 'bandwidth', kilobytesPerSecond: 1, direction: 'upstream' }],
        ],
        ['a broker that hangs', 'Mute', 'broker', [{ type: 'timeout', timeoutMs: 0, direction: 'upstream' }]],
        [
          'a broker that hangs amid its answers',
          'MuteAmid',
          'broker',
          [
            { type: 'limit_data', bytes: 300 },
            { type: 'slow_close', delayMs: 600_000 },
          ],
        ],
        ['a name server that hangs', 'MuteNameServer', 'nameServer', [{ type: 'timeout', timeoutMs: 0 }]],
      ];
      it.for(slow)(
        'ends before its deadline with %s, and gives each message that reason (F03, F04)',
        async (given, test) => {
          const [, name, side, toxics] = given;
          const { links, task, errors, reasons, publish, drained, books } = await start(test, name);
          for (const toxic of toxics) await links[side].add(toxic);
          await publish(texts(40, 8_000));
          await vi.waitUntil(() => task.counters.retried > 0 && task.counters.parked > 0, PATIENCE);
          expect([...reasons].some((reason) => reason.includes('no answer in time'))).toBe(true);
          await links.repair();
          await drained();
          // An invocation that timed out would be an error.
          expect(errors).toEqual([]);
          expect(await books()).toEqual(balanced(40));
        },
      );

      it('waits for slow answers (F03)', async (test) => {
        const { links, task, publish, drained, books } = await start(test, 'Slow');
        for (const link of [links.nameServer, links.broker]) {
          await link.add({ type: 'latency', latencyMs: 300, jitterMs: 200 });
          await link.add({ type: 'bandwidth', kilobytesPerSecond: 100, direction: 'upstream' });
        }
        await publish(texts(100, 400));
        await drained();
        expect(task.counters.retried).toBe(0);
        expect(await books()).toEqual(balanced(100, { duplicates: 0 }));
      });

      it('reconnects within one batch after its connections were closed (F05)', async (test) => {
        const { links, task, publish, drained, books } = await start(test, 'Again');
        await publish(texts(20, 40, 'before'));
        await drained();
        await links.down();
        await links.up();
        await publish(texts(20, 40, 'after'));
        await drained();
        expect(task.counters.retried).toBe(0);
        expect(await books()).toEqual(balanced(40, { duplicates: 0 }));
      });

      it.for([
        ['upstream', 'ResetUp'],
        ['downstream', 'ResetDown'],
      ] as const)('owes what resets %s have stopped (F05)', async ([direction, name], test) => {
        const { links, task, reasons, publish, drained, books } = await start(test, name);
        await links.broker.add({ type: 'reset_peer', timeoutMs: 0, direction });
        await publish(texts(30));
        const isReset = () => [...reasons].some((reason) => /ECONNRESET|connection lost/.test(reason));
        await vi.waitUntil(() => task.counters.retried >= 30 && isReset(), PATIENCE);
        await links.repair();
        await drained();
        expect(await books()).toEqual(balanced(30));
      });

      it('tolerates sliced data and slow closes (F05)', async (test) => {
        const { links, task, publish, drained, books } = await start(test, 'Sliced');
        const slicer: Toxic = { type: 'slicer', averageBytes: 30, variationBytes: 20, delayUs: 100 };
        for (const link of [links.nameServer, links.broker]) {
          await link.add(slicer);
          await link.add({ ...slicer, direction: 'upstream' });
          await link.add({ type: 'slow_close', delayMs: 1_000 });
        }
        await publish(texts(100, 200));
        await drained();
        expect(task.counters.retried).toBe(0);
        expect(await books()).toEqual(balanced(100, { duplicates: 0 }));
      });

      it('loses no message and blames none, wherever connections are cut (F05)', async (test) => {
        const { links, task, publish, drained, books } = await start(test, 'Cut');
        const place = fc.record({
          side: fc.constantFrom('nameServer' as const, 'broker' as const),
          bytes: fc.integer({ min: 0, max: 2_000 }),
          direction: fc.constantFrom('upstream' as const, 'downstream' as const),
        });
        let published = 0;
        await fc.assert(
          fc.asyncProperty(place, async ({ side, ...cut }) => {
            await links[side].add({ type: 'limit_data', ...cut });
            const { outgoing, retried } = task.counters;
            await publish(texts(30, 100, `after ${published}`));
            published += 30;
            const tried = () => task.counters.outgoing + task.counters.retried - outgoing - retried;
            await vi.waitUntil(() => tried() >= 30, PATIENCE);
            await links.repair();
            await drained();
            expect(await books()).toEqual(balanced(published));
          }),
          { numRuns: 6, endOnFailure: true },
        );
      });

      it('uses the next name server if one has no address and another is down (F26)', async (test) => {
        const { task, publish, drained, books } = await start(test, 'Names');
        await publish(texts(30));
        await drained();
        expect(task.counters.retried).toBe(0);
        expect(await books()).toEqual(balanced(30, { duplicates: 0 }));
      });

      it('dead-letters a message that is too large for the broker, and no other (F09)', async (test) => {
        const { publish, drained, books } = await start(test, 'Large');
        const sizes = [-1, 0, 1].map((over) => texts(1, MAX_MESSAGE_BYTES + over, `size ${over}`)[0]!);
        await publish([...texts(40), ...sizes]);
        await drained();
        expect(await books()).toEqual(
          balanced(43, { delivered: 42, deadLetters: { [sizes[2]!]: 'MESSAGE_TOO_LARGE' }, duplicates: 0 }),
        );
      });

      it('dead-letters illegal targets without their values in the error, and no other message (F13)', async (test) => {
        const { task, publish, drained, books } = await start(test, 'Illegal');
        const illegal: [code: string, over: object][] = [
          ['INVALID_TARGET', { to: 'canary/#' }],
          ['INVALID_TARGET', { to: 'canary'.repeat(30) }],
          ['INVALID_TARGET', { to: 'canary' }],
          ['INVALID_TARGET', { tag: 'canary|' }],
          ['INVALID_TARGET', { delay: 19 }],
          ['REJECTED', { key: 'canary\u0001' }],
          ['REJECTED', { properties: { 'canary\u0002': 'canary' } }],
          ['REJECTED', { properties: { TRAN_MSG: 'true' } }],
          ['REJECTED', { properties: { '__RMQ.canary': 'canary' } }],
        ];
        const deadLetters = Object.fromEntries(
          illegal.map(([code, over], n) => [JSON.stringify({ n, to: 'Illegal', ...over }), code]),
        );
        const sound = texts(10).map((text) => JSON.stringify({ to: 'Illegal', key: text.slice(0, 9), text }));
        await publish([...Object.keys(deadLetters), ...sound]);
        await drained();
        expect(await books()).toEqual(balanced(19, { delivered: 10, deadLetters, duplicates: 0 }));
        const messages = task
          .deadLetterQueue!.peek()
          .map(({ attributes }) => attributes!['ERROR_MESSAGE']!.stringValue!);
        // A topic that could exist is named: an operator may have to create it.
        expect(messages.filter((message) => message.includes('canary'))).toEqual([
          expect.stringContaining('topic canary'),
        ]);
      });

      it('fails closed at a port without TLS (F23, S16)', async (test) => {
        const { task, publish, hasStatus, books } = await start(test, 'Plain');
        await publish(texts(20));
        await hasStatus('Start Failed');
        expect(task.control!.state.cause).toContain('TLS');
        expect(await books()).toEqual(balanced(20, { delivered: 0, buffered: 20, duplicates: 0 }));
      });
    });

    it('loses no message when the broker and then the name server are killed amid batches (F02, F19)', async (test) => {
      const { task, publish, drained, books } = await start(test, 'Restarts');
      let n = 0;
      let isOver = false;
      const traffic = (async () => {
        while (!isOver) {
          await publish(texts(20, 60, `part ${n++}`));
          await sleep(20);
        }
      })();
      test.onTestFinished(async () => {
        isOver = true;
        await traffic;
      });
      const more = async (of: 'outgoing' | 'retried', count: number) => {
        const before = task.counters[of];
        await vi.waitUntil(() => task.counters[of] >= before + count, PATIENCE);
      };
      await more('outgoing', 200);
      for (let kills = 0; kills < 2; kills++) {
        await mq.stopBroker();
        await more('retried', 20);
        await mq.startBroker();
        await more('outgoing', 200);
      }
      await mq.stopNameServer();
      await more('outgoing', 100);
      await mq.startNameServer();
      await more('outgoing', 100);
      isOver = true;
      await traffic;
      await drained();
      expect(await books()).toEqual(balanced(20 * n));
    });
  },
);

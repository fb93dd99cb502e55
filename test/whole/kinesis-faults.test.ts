import { DeleteStreamCommand } from '@aws-sdk/client-kinesis';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseOptions } from '../../lambdas/core/options.ts';
import { kinesisOptions } from '../../lambdas/deliver/kinesis/config.ts';
import { openKinesis } from '../../lambdas/deliver/kinesis/sink.ts';
import type { DeliverContext } from '../../lambdas/deliver/sink.ts';
import { type LocalKinesis, startKinesis } from '../../localstack/one-process/kinesis.ts';
import { faultProxyHome, isInstalled } from '../../localstack/servers/fault-proxy/install.mjs';
import { type FaultProxy, startFaultProxy, type Toxic } from '../../localstack/servers/fault-proxy/start.ts';
import { readRecords } from '../support/kinesis.ts';

const minute: DeliverContext = { remainingMs: () => 60_000 };

// They wait for time-outs more than they work: one after the other they would take minutes.
describe.skipIf(!isInstalled(faultProxyHome))('the Kinesis sink on a broken way', { concurrent: true }, () => {
  let server: LocalKinesis;
  let proxy: FaultProxy;
  let ways = 0;
  beforeAll(async () => {
    server = await startKinesis();
    proxy = await startFaultProxy({ home: faultProxyHome });
  });
  afterAll(async () => {
    await proxy?.close();
    await server.close();
  });

  const open = async (stream: string, over: object) => {
    await server.createStream(stream);
    const link = await proxy.link({ upstream: new URL(server.endpointUrl).host });
    const options = parseOptions(kinesisOptions, { type: 'kinesis', stream, partitionKey: '${clientid}', ...over });
    const sink = openKinesis({ ...options, stream }, { env: {}, endpointUrl: `http://${link.address}` });
    const arrived = async () => (await readRecords(server, stream)).map(({ data }) => data.toString());
    const deliver = async (texts: readonly string[], context = minute) => {
      const requests = texts.map((text) => {
        const data = Buffer.from(text);
        return { stream, isStreamRendered: false, partitionKey: 'k', data, bytes: data.length + 1 };
      });
      const outcomes = await sink.deliver(requests, context);
      const withStatus = (...wanted: string[]) => texts.filter((_, i) => wanted.includes(outcomes[i]!.status));
      const delivered = withStatus('delivered');
      const owed = withStatus('retry', 'unsent');
      // A fault of the way is nobody’s fault: not the message’s, and none that stops the task.
      expect(delivered.length + owed.length).toBe(texts.length);
      expect(missing(delivered, await arrived())).toEqual([]);
      const reasons = outcomes.flatMap((outcome) => (outcome.status === 'retry' ? [outcome.error.message] : []));
      return { delivered, owed, reasons };
    };
    let made = 0;
    return {
      link,
      arrived,
      /** Texts that nobody had before. */
      texts: (count: number, bytes = 40) => Array.from({ length: count }, () => `${made++}:`.padEnd(bytes, '.')),
      deliver,
      /** Delivers what is owed; then all there was is in the stream, and nothing else. */
      async settle(texts: readonly string[], owed: readonly string[]) {
        expect((await deliver(owed)).owed).toEqual([]);
        expect(new Set(await arrived())).toEqual(new Set(texts));
      },
      async close() {
        await sink.close();
        await link.remove();
        // The emulator has ten shards and no more.
        await server.client.send(new DeleteStreamCommand({ StreamName: stream }));
      },
    };
  };

  /** Uses a sink with a way and a stream of its own. What it says is checked against what the stream holds. */
  const withWay = async (over: object, use: (way: Awaited<ReturnType<typeof open>>) => Promise<void>) => {
    const way = await open(`stream-${++ways}`, over);
    try {
      await use(way);
    } finally {
      await way.close();
    }
  };

  const slow: [string, Toxic[]][] = [
    ['answers too late', [{ type: 'latency', latencyMs: 10_000 }]],
    ['takes too little at a time', [{ type: 'bandwidth', kilobytesPerSecond: 10, direction: 'upstream' }]],
    ['answers byte by byte', [{ type: 'bandwidth', kilobytesPerSecond: 1 }]],
    ['hangs', [{ type: 'timeout', timeoutMs: 0, direction: 'upstream' }]],
    [
      'hangs in the middle of its answer',
      [
        { type: 'limit_data', bytes: 1_000 },
        { type: 'slow_close', delayMs: 600_000 },
      ],
    ],
  ];
  it.each(slow)('ends before the deadline when Kinesis %s (F03, F04)', (_, toxics) =>
    withWay({}, async (way) => {
      for (const toxic of toxics) await way.link.add(toxic);
      const texts = way.texts(500, 400);
      const context = deadlineIn(30_000);
      const { owed, reasons } = await way.deliver(texts, context);
      expect(context.remainingMs()).toBeGreaterThan(0);
      expect(owed).toEqual(texts);
      expect(reasons).toEqual(texts.map(() => expect.stringMatching(/requestTimeout|AbortError/)));
      await way.link.clear();
      await way.settle(texts, owed);
    }),
  );

  it('starts nothing that could not end before the deadline (F04)', () =>
    withWay({ maxRecords: 1 }, async (way) => {
      await way.link.add({ type: 'timeout', timeoutMs: 0, direction: 'upstream' });
      const texts = way.texts(8);
      const { owed, reasons } = await way.deliver(texts, deadlineIn(30_000));
      expect(owed).toEqual(texts);
      expect(reasons).toHaveLength(4);
    }));

  it('is patient while Kinesis is merely slow (F03)', () =>
    withWay({}, async (way) => {
      await way.link.add({ type: 'latency', latencyMs: 1_000, jitterMs: 500 });
      await way.link.add({ type: 'bandwidth', kilobytesPerSecond: 100, direction: 'upstream' });
      const texts = way.texts(300, 400);
      expect((await way.deliver(texts)).owed).toEqual([]);
      expect((await way.arrived()).sort()).toEqual([...texts].sort());
    }));

  it('delivers once Kinesis is up, which it was not at first (F01)', () =>
    withWay({}, async (way) => {
      await way.link.down();
      const texts = way.texts(20);
      const { owed, reasons } = await way.deliver(texts);
      expect(owed).toEqual(texts);
      expect(reasons[0]).toContain('ECONNREFUSED');
      await way.link.up();
      expect((await way.deliver(owed)).owed).toEqual([]);
      expect((await way.arrived()).sort()).toEqual([...texts].sort());
    }));

  it('owes just what was not acknowledged when Kinesis dies in the middle of a batch (F02)', () =>
    withWay({ maxRecords: 12 }, async (way) => {
      await way.link.add({ type: 'latency', latencyMs: 500 });
      const texts = way.texts(1_200);
      // The sink asks before each call. Four calls are under way at once: at the ninth, at least five have ended.
      let calls = 0;
      let goingDown: Promise<void> | undefined;
      const remainingMs = () => {
        if (++calls === 9) goingDown = way.link.down();
        return 60_000;
      };
      const { delivered, owed } = await way.deliver(texts, { remainingMs });
      await goingDown;
      expect(delivered.length).toBeGreaterThan(0);
      expect(owed.length).toBeGreaterThan(0);
      await way.link.clear();
      await way.link.up();
      await way.settle(texts, owed);
      const again = repeated(await way.arrived());
      expect(missing(again, owed)).toEqual([]);
      expect(again.length).toBeLessThanOrEqual(4 * 12);
    }));

  it('connects again within one batch when its connections have died (F05)', () =>
    withWay({}, async (way) => {
      const before = way.texts(20);
      expect((await way.deliver(before)).owed).toEqual([]);
      await way.link.down();
      await way.link.up();
      const after = way.texts(20);
      expect((await way.deliver(after)).owed).toEqual([]);
      expect((await way.arrived()).sort()).toEqual([...before, ...after].sort());
    }));

  it.each(['upstream', 'downstream'] as const)('owes what resets %s keep from it (F05, F07)', (direction) =>
    withWay({}, async (way) => {
      await way.link.add({ type: 'reset_peer', timeoutMs: 0, direction });
      const texts = way.texts(20);
      const { owed, reasons } = await way.deliver(texts);
      expect(owed).toEqual(texts);
      expect(reasons[0]).toContain('ECONNRESET');
      await way.link.clear();
      await way.settle(texts, owed);
    }),
  );

  it.each<Toxic>([
    { type: 'slicer', averageBytes: 50, variationBytes: 25, delayUs: 100 },
    { type: 'slicer', averageBytes: 50, variationBytes: 25, delayUs: 100, direction: 'upstream' },
    { type: 'slow_close', delayMs: 1_000 },
  ])('does not mind %o (F05)', (toxic) =>
    withWay({ maxRecords: 100 }, async (way) => {
      await way.link.add(toxic);
      const texts = way.texts(400);
      expect((await way.deliver(texts)).owed).toEqual([]);
      expect((await way.arrived()).sort()).toEqual([...texts].sort());
    }),
  );

  it('loses nothing and blames no message, wherever a connection is cut (F05)', () =>
    withWay({ maxRecords: 10 }, async (way) => {
      const place = fc.record({
        bytes: fc.integer({ min: 0, max: 4_000 }),
        direction: fc.constantFrom('upstream' as const, 'downstream' as const),
      });
      const sent: string[] = [];
      await fc.assert(
        fc.asyncProperty(place, async (cut) => {
          const texts = way.texts(30);
          sent.push(...texts);
          await way.link.add({ type: 'limit_data', ...cut });
          const { owed } = await way.deliver(texts);
          await way.link.clear();
          await way.settle(sent, owed);
        }),
        { numRuns: 10 },
      );
    }));
});

/** Which texts are not among those. */
function missing(texts: readonly string[], among: readonly string[]): string[] {
  const there = new Set(among);
  return texts.filter((text) => !there.has(text));
}

function repeated(texts: readonly string[]): string[] {
  const seen = new Set<string>();
  return texts.filter((text) => seen.size === seen.add(text).size);
}

function deadlineIn(ms: number): DeliverContext {
  const deadline = Date.now() + ms;
  return { remainingMs: () => deadline - Date.now() };
}

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

// These tests wait for timeouts more than they compute; in sequence they would take minutes.
describe.skipIf(!isInstalled(faultProxyHome))('the Kinesis sink behind a faulty link', { concurrent: true }, () => {
  let server: LocalKinesis;
  let proxy: FaultProxy;
  let subjects = 0;
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
      // A fault of the network neither dead-letters a message nor stops the task.
      expect(delivered.length + owed.length).toBe(texts.length);
      expect(missing(delivered, await arrived())).toEqual([]);
      const reasons = outcomes.flatMap((outcome) => (outcome.status === 'retry' ? [outcome.error.message] : []));
      return { delivered, owed, reasons };
    };
    let made = 0;
    return {
      link,
      arrived,
      /** Makes texts that differ from all others. */
      texts: (count: number, bytes = 40) => Array.from({ length: count }, () => `${made++}:`.padEnd(bytes, '.')),
      deliver,
      /** Delivers the owed texts; then the stream holds all texts and no other. */
      async settle(texts: readonly string[], owed: readonly string[]) {
        expect((await deliver(owed)).owed).toEqual([]);
        expect(new Set(await arrived())).toEqual(new Set(texts));
      },
      async close() {
        await sink.close();
        await link.remove();
        // The emulator's limit is ten shards.
        await server.client.send(new DeleteStreamCommand({ StreamName: stream }));
      },
    };
  };

  /** Tests a sink with a link and a stream of its own. Outcomes are checked against the stream. */
  const withSink = async (over: object, use: (subject: Awaited<ReturnType<typeof open>>) => Promise<void>) => {
    const subject = await open(`stream-${++subjects}`, over);
    try {
      await use(subject);
    } finally {
      await subject.close();
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
    withSink({}, async (subject) => {
      for (const toxic of toxics) await subject.link.add(toxic);
      const texts = subject.texts(500, 400);
      const context = deadlineIn(30_000);
      const { owed, reasons } = await subject.deliver(texts, context);
      expect(context.remainingMs()).toBeGreaterThan(0);
      expect(owed).toEqual(texts);
      expect(reasons).toEqual(texts.map(() => expect.stringMatching(/requestTimeout|AbortError/)));
      await subject.link.clear();
      await subject.settle(texts, owed);
    }),
  );

  it('starts no call that could pass the deadline (F04)', () =>
    withSink({ maxRecords: 1 }, async (subject) => {
      await subject.link.add({ type: 'timeout', timeoutMs: 0, direction: 'upstream' });
      const texts = subject.texts(8);
      const { owed, reasons } = await subject.deliver(texts, deadlineIn(30_000));
      expect(owed).toEqual(texts);
      expect(reasons).toHaveLength(4);
    }));

  it('waits while Kinesis is slow (F03)', () =>
    withSink({}, async (subject) => {
      await subject.link.add({ type: 'latency', latencyMs: 1_000, jitterMs: 500 });
      await subject.link.add({ type: 'bandwidth', kilobytesPerSecond: 100, direction: 'upstream' });
      const texts = subject.texts(300, 400);
      expect((await subject.deliver(texts)).owed).toEqual([]);
      expect((await subject.arrived()).sort()).toEqual([...texts].sort());
    }));

  it('delivers once Kinesis is up, which was down at first (F01)', () =>
    withSink({}, async (subject) => {
      await subject.link.down();
      const texts = subject.texts(20);
      const { owed, reasons } = await subject.deliver(texts);
      expect(owed).toEqual(texts);
      expect(reasons[0]).toContain('ECONNREFUSED');
      await subject.link.up();
      expect((await subject.deliver(owed)).owed).toEqual([]);
      expect((await subject.arrived()).sort()).toEqual([...texts].sort());
    }));

  it('owes only unacknowledged records when Kinesis goes down amid a batch (F02)', () =>
    withSink({ maxRecords: 12 }, async (subject) => {
      await subject.link.add({ type: 'latency', latencyMs: 500 });
      const texts = subject.texts(1_200);
      // The sink reads the time before each call, and has four calls in flight: at the ninth, at least five have ended.
      let calls = 0;
      let goingDown: Promise<void> | undefined;
      const remainingMs = () => {
        if (++calls === 9) goingDown = subject.link.down();
        return 60_000;
      };
      const { delivered, owed } = await subject.deliver(texts, { remainingMs });
      await goingDown;
      expect(delivered.length).toBeGreaterThan(0);
      expect(owed.length).toBeGreaterThan(0);
      await subject.link.clear();
      await subject.link.up();
      await subject.settle(texts, owed);
      const again = repeated(await subject.arrived());
      expect(missing(again, owed)).toEqual([]);
      expect(again.length).toBeLessThanOrEqual(4 * 12);
    }));

  it('reconnects within one batch after its connections were closed (F05)', () =>
    withSink({}, async (subject) => {
      const before = subject.texts(20);
      expect((await subject.deliver(before)).owed).toEqual([]);
      await subject.link.down();
      await subject.link.up();
      const after = subject.texts(20);
      expect((await subject.deliver(after)).owed).toEqual([]);
      expect((await subject.arrived()).sort()).toEqual([...before, ...after].sort());
    }));

  it.each(['upstream', 'downstream'] as const)('owes what resets %s have stopped (F05, F07)', (direction) =>
    withSink({}, async (subject) => {
      await subject.link.add({ type: 'reset_peer', timeoutMs: 0, direction });
      const texts = subject.texts(20);
      const { owed, reasons } = await subject.deliver(texts);
      expect(owed).toEqual(texts);
      expect(reasons[0]).toContain('ECONNRESET');
      await subject.link.clear();
      await subject.settle(texts, owed);
    }),
  );

  it.each<Toxic>([
    { type: 'slicer', averageBytes: 50, variationBytes: 25, delayUs: 100 },
    { type: 'slicer', averageBytes: 50, variationBytes: 25, delayUs: 100, direction: 'upstream' },
    { type: 'slow_close', delayMs: 1_000 },
  ])('tolerates %o (F05)', (toxic) =>
    withSink({ maxRecords: 100 }, async (subject) => {
      await subject.link.add(toxic);
      const texts = subject.texts(400);
      expect((await subject.deliver(texts)).owed).toEqual([]);
      expect((await subject.arrived()).sort()).toEqual([...texts].sort());
    }),
  );

  it('loses no record and blames none, wherever a connection is cut (F05)', () =>
    withSink({ maxRecords: 10 }, async (subject) => {
      const place = fc.record({
        bytes: fc.integer({ min: 0, max: 4_000 }),
        direction: fc.constantFrom('upstream' as const, 'downstream' as const),
      });
      const sent: string[] = [];
      await fc.assert(
        fc.asyncProperty(place, async (cut) => {
          const texts = subject.texts(30);
          sent.push(...texts);
          await subject.link.add({ type: 'limit_data', ...cut });
          const { owed } = await subject.deliver(texts);
          await subject.link.clear();
          await subject.settle(sent, owed);
        }),
        { numRuns: 10 },
      );
    }));
});

/** Texts that are not among the others. */
function missing(texts: readonly string[], among: readonly string[]): string[] {
  const present = new Set(among);
  return texts.filter((text) => !present.has(text));
}

function repeated(texts: readonly string[]): string[] {
  const seen = new Set<string>();
  return texts.filter((text) => seen.size === seen.add(text).size);
}

function deadlineIn(ms: number): DeliverContext {
  const deadline = Date.now() + ms;
  return { remainingMs: () => deadline - Date.now() };
}

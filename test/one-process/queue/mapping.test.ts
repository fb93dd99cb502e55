import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MAX_EVENT_BYTES } from '../../../localstack/one-process/lambda/event-size.ts';
import {
  type InvocationResult,
  type MappingOptions,
  startMapping,
} from '../../../localstack/one-process/queue/mapping.ts';
import { runs } from '../../support/property-runs.ts';
import { FakeClock } from './fake-clock.ts';
import { newQueue, sendBodies } from './queues.ts';

const VISIBILITY_SECONDS = 60;

/** A mapping with a fake clock, and the events that its function received. The function succeeds by default. */
function startMapped(options: Partial<MappingOptions> = {}, maxReceiveCount = 3) {
  const clock = new FakeClock();
  const deadLetterQueue = newQueue({ name: 'dead', clock, retentionSeconds: 14 * 86_400 });
  const redrive = { deadLetterQueue, maxReceiveCount };
  const queue = newQueue({ clock, visibilityTimeoutSeconds: VISIBILITY_SECONDS, redrive });
  const events: SQSEvent[] = [];
  const results: InvocationResult[] = [];
  const mapping = startMapping({
    queue,
    clock,
    functionName: 'deliver',
    functionTimeoutSeconds: 10,
    region: 'eu-central-1',
    onInvocation: (result) => results.push(result),
    ...options,
    handler: async (event, context) => {
      events.push(event);
      return await (options.handler ?? (async () => {}))(event, context);
    },
  });
  onTestFinished(() => mapping.stop());
  return { clock, queue, deadLetterQueue, events, results, mapping };
}

const bodiesOf = (event: SQSEvent | undefined) => event?.Records.map(({ body }) => body);
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
const never = () => new Promise<never>(() => {});

describe('an event', () => {
  it('has the shape of Lambda’s', async () => {
    const { clock, queue, events, mapping } = startMapped();
    const now = String(clock.now());
    const { messageId } = queue.send({
      body: '{"t":21}',
      attributes: {
        text: { dataType: 'String', stringValue: 'warm' },
        count: { dataType: 'Number', stringValue: '2' },
      },
    });
    await mapping.settle();
    expect(JSON.parse(JSON.stringify(events))).toEqual([
      {
        Records: [
          {
            messageId,
            receiptHandle: expect.any(String),
            body: '{"t":21}',
            attributes: {
              ApproximateReceiveCount: '1',
              SentTimestamp: now,
              SenderId: expect.any(String),
              ApproximateFirstReceiveTimestamp: now,
            },
            messageAttributes: {
              text: { stringValue: 'warm', stringListValues: [], binaryListValues: [], dataType: 'String' },
              count: { stringValue: '2', stringListValues: [], binaryListValues: [], dataType: 'Number' },
            },
            md5OfBody: '',
            eventSource: 'aws:sqs',
            eventSourceARN: queue.arn,
            awsRegion: 'eu-central-1',
          },
        ],
      },
    ]);
  });

  it('comes with a context that counts down the remaining time', async () => {
    const left: number[] = [];
    const { clock, queue, mapping } = startMapped({
      handler: async (_, context) => {
        expect(context.invokedFunctionArn).toBe('arn:aws:lambda:eu-central-1:123456789012:function:deliver');
        left.push(context.getRemainingTimeInMillis());
        await new Promise<void>((resolve) => clock.after(4_000, resolve));
        left.push(context.getRemainingTimeInMillis());
      },
    });
    queue.send({ body: 'x' });
    await clock.advance(4_000);
    await mapping.settle();
    expect(left).toEqual([10_000, 6_000]);
    await mapping.stop();
    expect(clock.timers).toBe(0);
  });
});

describe('a batch is invoked', () => {
  it('when it is full', async () => {
    const { queue, events, mapping, clock } = startMapped({ batchSize: 20, windowSeconds: 300 });
    sendBodies(queue, numbers(45));
    await clock.advance(0);
    expect(events.map((event) => event.Records.length)).toEqual([20, 20]);
    expect(queue.counts).toEqual({ visible: 0, inFlight: 5, delayed: 0 });
    await clock.advance(VISIBILITY_SECONDS * 1000 - 1);
    sendBodies(queue, numbers(15));
    await mapping.settle();
    expect(queue.counts).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  it('at once with the available messages when the mapping has no window', async () => {
    const { queue, events, mapping } = startMapped();
    sendBodies(queue, numbers(23));
    await mapping.settle();
    expect(events.map((event) => event.Records.length)).toEqual([10, 10, 3]);
  });

  it('when its window ends, counted from its first record', async () => {
    const { queue, events, clock } = startMapped({ batchSize: 100, windowSeconds: 5 });
    await clock.advance(60_000);
    queue.send({ body: 'first' });
    await clock.advance(4_000);
    queue.send({ body: 'second' });
    await clock.advance(999);
    expect(events).toEqual([]);
    await clock.advance(1);
    expect(events.map(bodiesOf)).toEqual([['first', 'second']]);
    queue.send({ body: 'third' });
    await clock.advance(4_999);
    expect(events).toHaveLength(1);
    await clock.advance(1);
    expect(events.map(bodiesOf)).toEqual([['first', 'second'], ['third']]);
  });

  it('before its event would exceed 6 MB, whatever the bodies', async () => {
    const body = fc.tuple(fc.constantFrom('x', '"', 'é', '\n', '🦀'), fc.integer({ min: 1, max: 262_144 }));
    const property = fc.asyncProperty(fc.array(body, { minLength: 10, maxLength: 60 }), async (parts) => {
      const { queue, events, results, clock, mapping } = startMapped({ batchSize: 10_000, windowSeconds: 5 });
      sendBodies(
        queue,
        parts.map(([unit, count]) => unit.repeat(count)),
      );
      await clock.advance(5_000);
      await mapping.settle();
      const sizes = events.map((event) => Buffer.byteLength(JSON.stringify(event)));
      expect(results.map(({ bytes }) => bytes).sort()).toEqual([...sizes].sort());
      expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_EVENT_BYTES);
      events.slice(1).forEach((event, i) => {
        const firstOfNext = 1 + Buffer.byteLength(JSON.stringify(event.Records[0]));
        expect(sizes[i]! + firstOfNext).toBeGreaterThan(MAX_EVENT_BYTES);
      });
      expect(events.flatMap((event) => event.Records)).toHaveLength(parts.length);
      await mapping.stop();
    });
    await fc.assert(property, { numRuns: runs(15) });
  });
});

describe('after a response', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['an empty object', {}],
    ['an empty list', { batchItemFailures: [] }],
    ['a null list', { batchItemFailures: null }],
  ])('of %s all messages are deleted', async (_, response) => {
    const { queue, results, mapping } = startMapped({ handler: async () => response as SQSBatchResponse });
    sendBodies(queue, ['a', 'b']);
    await mapping.settle();
    expect(queue.counts.inFlight).toBe(0);
    expect(results).toEqual([expect.objectContaining({ records: 2, failedMessageIds: [] })]);
  });

  it('with failures, only these stay in flight, and are redelivered after their visibility timeout', async () => {
    const { queue, clock, events, mapping } = startMapped({
      handler: async ({ Records }) => ({
        batchItemFailures: Records.filter(
          ({ body, attributes }) => body === 'bad' && attributes.ApproximateReceiveCount === '1',
        ).map(({ messageId }) => ({ itemIdentifier: messageId })),
      }),
    });
    sendBodies(queue, ['good', 'bad', 'good']);
    await mapping.settle();
    expect(queue.peek()).toEqual([expect.objectContaining({ body: 'bad', state: 'inFlight' })]);
    await clock.advance(VISIBILITY_SECONDS * 1000 - 1);
    expect(events).toHaveLength(1);
    await clock.advance(1);
    expect(events.map(bodiesOf)).toEqual([['good', 'bad', 'good'], ['bad']]);
    expect(queue.counts).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  const loop: { batchItemFailures?: unknown } = {};
  loop.batchItemFailures = loop;
  it.each<[string, (event: SQSEvent) => unknown]>([
    ['an unknown identifier', () => ({ batchItemFailures: [{ itemIdentifier: 'other' }] })],
    ['an empty identifier', () => ({ batchItemFailures: [{ itemIdentifier: '' }] })],
    ['a null identifier', () => ({ batchItemFailures: [{ itemIdentifier: null }] })],
    ['a misspelt key', ({ Records }) => ({ batchItemFailures: [{ identifier: Records[0]?.messageId }] })],
    ['a null failure', () => ({ batchItemFailures: [null] })],
    [
      'one good and one bad identifier',
      ({ Records }) => ({ batchItemFailures: [{ itemIdentifier: Records[0]?.messageId }, {}] }),
    ],
    ['batchItemFailures that is not a list', () => ({ batchItemFailures: 'all' })],
    ['a string', () => 'fine'],
    ['a value that JSON cannot represent', () => loop],
  ])('of %s the whole batch fails', async (_, response) => {
    const { queue, results, mapping } = startMapped({ handler: async (event) => response(event) as SQSBatchResponse });
    const ids = sendBodies(queue, ['a', 'b']);
    await mapping.settle();
    expect(queue.counts).toEqual({ visible: 0, inFlight: 2, delayed: 0 });
    expect(results).toEqual([expect.objectContaining({ failedMessageIds: ids, error: expect.any(Error) })]);
  });

  it('all messages fail when the function throws, at once or later, even if it emptied its event', async () => {
    const thrown = new Error('no route');
    const { queue, results, mapping } = startMapped({
      batchSize: 1,
      handler: (event) => {
        if (event.Records[0]?.body === 'at once') throw thrown;
        event.Records.length = 0;
        return Promise.reject(thrown);
      },
    });
    const ids = sendBodies(queue, ['at once', 'later']);
    await mapping.settle();
    expect(queue.counts.inFlight).toBe(2);
    expect(results.flatMap(({ failedMessageIds }) => failedMessageIds).sort()).toEqual([...ids].sort());
    expect(results.map(({ error }) => error)).toEqual([thrown, thrown]);
  });
});

it('ignores a function that does not return in time, and invokes it again', async () => {
  let calls = 0;
  const { queue, clock, results, mapping } = startMapped({
    handler: () => (++calls === 1 ? never() : Promise.resolve()),
  });
  queue.send({ body: 'x' });
  await clock.advance(9_999);
  expect(results).toEqual([]);
  await clock.advance(1);
  expect(results).toEqual([
    expect.objectContaining({ durationMs: 10_000, error: expect.objectContaining({ name: 'FunctionTimeoutError' }) }),
  ]);
  await mapping.settle();
  expect(queue.counts.inFlight).toBe(1);
  await clock.advance(VISIBILITY_SECONDS * 1000 - 10_000);
  expect(queue.counts).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
});

it('a message that failed maxReceiveCount times moves to the dead-letter queue', async () => {
  const { queue, deadLetterQueue, clock, events, mapping } = startMapped({
    handler: async () => {
      throw new Error('never');
    },
  });
  const ids = sendBodies(queue, ['a', 'b']);
  await clock.advance(3 * VISIBILITY_SECONDS * 1000);
  await mapping.settle();
  expect(events.map(({ Records }) => Records.map(({ attributes }) => attributes.ApproximateReceiveCount))).toEqual([
    ['1', '1'],
    ['2', '2'],
    ['3', '3'],
  ]);
  expect(queue.peek()).toEqual([]);
  expect(deadLetterQueue.peek().map(({ messageId }) => messageId)).toEqual(ids);
});

it.each([undefined, 2, 7])('does not exceed its maximum concurrency: %s', async (maximumConcurrency) => {
  let running = 0;
  let most = 0;
  const held: (() => void)[] = [];
  const { queue, clock, mapping, events } = startMapped({
    ...(maximumConcurrency && { maximumConcurrency }),
    batchSize: 1,
    handler: async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => held.push(resolve));
      running--;
    },
  });
  sendBodies(queue, numbers(20));
  await clock.advance(0);
  const limit = maximumConcurrency ?? 5;
  expect([running, queue.counts]).toEqual([limit, { visible: 20 - limit, inFlight: limit, delayed: 0 }]);
  while (events.length > 0 && held.length > 0) {
    held.shift()?.();
    await clock.advance(0);
  }
  await mapping.settle();
  expect([most, events.length]).toEqual([limit, 20]);
});

describe('a mapping', () => {
  it('settles when no message is visible, in an open batch or being processed; it does not wait for delayed messages', async () => {
    const { queue, clock, mapping } = startMapped({ batchSize: 100, windowSeconds: 5 });
    queue.send({ body: 'later', delaySeconds: 900 });
    await mapping.settle();
    queue.send({ body: 'now' });
    let isSettled = false;
    const settled = mapping.settle().then(() => {
      isSettled = true;
    });
    await clock.advance(4_999);
    expect(isSettled).toBe(false);
    await clock.advance(1);
    await settled;
    expect(queue.counts).toEqual({ visible: 0, inFlight: 0, delayed: 1 });
  });

  it('when disabled waits for running invocations, returns its open batch and receives nothing until enabled', async () => {
    let release = () => {};
    const { queue, clock, mapping, events } = startMapped({
      batchSize: 2,
      windowSeconds: 300,
      handler: () => new Promise<void>((resolve) => (release = resolve)),
    });
    sendBodies(queue, ['a', 'b', 'c']);
    await clock.advance(0);
    expect(queue.counts).toEqual({ visible: 0, inFlight: 3, delayed: 0 });
    let isDisabled = false;
    const disabled = mapping.disable().then(() => {
      isDisabled = true;
    });
    queue.send({ body: 'd' });
    await clock.advance(1_000);
    expect([mapping.state, isDisabled, queue.counts]).toEqual([
      'Disabled',
      false,
      { visible: 2, inFlight: 2, delayed: 0 },
    ]);
    release();
    await disabled;
    await clock.advance(VISIBILITY_SECONDS * 1000);
    expect([events.length, clock.timers, queue.counts.visible]).toEqual([1, 0, 2]);

    mapping.enable();
    await clock.advance(0);
    expect(events.map(bodiesOf).map((bodies) => bodies?.toSorted())).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    release();
    await mapping.settle();
    expect(queue.peek()).toEqual([]);
  });

  it('may be disabled by its own function', async () => {
    const { queue, mapping, clock } = startMapped({
      batchSize: 1,
      handler: async () => {
        stopped ??= mapping.disable();
        throw new Error('the password is wrong');
      },
    });
    let stopped: Promise<void> | undefined;
    sendBodies(queue, numbers(20));
    await clock.advance(0);
    await stopped;
    expect(mapping.state).toBe('Disabled');
    expect(queue.counts.visible).toBeGreaterThanOrEqual(15);
  });

  it('stops permanently, and rejects pending settle calls', async () => {
    const { queue, mapping, clock } = startMapped({ batchSize: 100, windowSeconds: 5 });
    queue.send({ body: 'x' });
    const settled = expect(mapping.settle()).rejects.toThrow('stopped');
    await clock.advance(0);
    await mapping.stop();
    await settled;
    expect(() => mapping.enable()).toThrow('stopped');
    expect(queue.counts.visible).toBe(1);
  });

  it.each([
    ['a batch over 10 without a window', { batchSize: 11 }],
    ['a batch over 10,000', { batchSize: 10_001, windowSeconds: 1 }],
    ['a window over 300 s', { windowSeconds: 301 }],
    ['a concurrency below 2', { maximumConcurrency: 1 }],
    ['a function timeout above the visibility timeout', { functionTimeoutSeconds: VISIBILITY_SECONDS + 1 }],
  ])('refuses %s', (_, options) => {
    expect(() => startMapped(options)).toThrow(expect.objectContaining({ name: 'InvalidOptionError' }));
  });
});

it('deletes every message, or moves it to the dead-letter queue after maxReceiveCount failures', async () => {
  const message = fc.record({
    failures: fc.nat(5),
    delaySeconds: fc.constantFrom(0, 0, 1, 90),
    sentAfterMs: fc.nat(30_000),
  });
  const options = fc.record({
    batch: fc.constantFrom(
      { batchSize: 1 },
      { batchSize: 10 },
      { batchSize: 10, windowSeconds: 3 },
      { batchSize: 500, windowSeconds: 20 },
    ),
    maximumConcurrency: fc.integer({ min: 2, max: 6 }),
    tookMs: fc.constantFrom(0, 500, 9_000, 11_000),
  });
  const property = fc.asyncProperty(
    fc.array(message, { maxLength: 40 }),
    options,
    async (messages, { batch, maximumConcurrency, tookMs }) => {
      const { clock, queue, deadLetterQueue, mapping, events } = startMapped({
        ...batch,
        maximumConcurrency,
        handler: async ({ Records }) => {
          if (tookMs > 0) await new Promise<void>((resolve) => clock.after(tookMs, resolve));
          const failed = Records.filter(
            ({ body, attributes }) => Number(attributes.ApproximateReceiveCount) <= messages[Number(body)]!.failures,
          );
          return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
        },
      });
      for (const [i, { delaySeconds, sentAfterMs }] of messages.entries()) {
        clock.after(sentAfterMs, () => queue.send({ body: String(i), delaySeconds }));
      }
      await clock.advance(600_000);
      await mapping.settle();
      expect(queue.peek()).toEqual([]);
      const isDead = (failures: number) => failures >= 3 || tookMs > 10_000;
      const dead = messages.flatMap(({ failures }, i) => (isDead(failures) ? [String(i)] : []));
      expect(
        deadLetterQueue
          .peek()
          .map(({ body }) => body)
          .sort(),
      ).toEqual(dead.sort());
      const receives = messages.reduce((sum, { failures }) => sum + (isDead(failures) ? 3 : failures + 1), 0);
      expect(events.flatMap(({ Records }) => Records)).toHaveLength(receives);
      await mapping.stop();
    },
  );
  await fc.assert(property, { numRuns: runs(60) });
});

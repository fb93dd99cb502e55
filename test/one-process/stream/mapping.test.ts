import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type LocalKinesis, startKinesis } from '../../../localstack/one-process/kinesis.ts';
import { MAX_EVENT_BYTES } from '../../../localstack/one-process/lambda/event-size.ts';
import {
  type StreamInvocationResult,
  type StreamMappingOptions,
  startStreamMapping,
} from '../../../localstack/one-process/stream/mapping.ts';
import { FakeClock } from '../queue/fake-clock.ts';
import { quickClock } from './quick-clock.ts';
import { faultyClient, newStream, shardIdOf, textsOf } from './streams.ts';

let kinesis: LocalKinesis;
beforeAll(async () => {
  kinesis = await startKinesis();
});
afterAll(() => kinesis.close());

type Options = Partial<StreamMappingOptions>;

/** A stream of the emulator, and a function that starts a mapping of it. The mapped function succeeds by default. */
async function testStream(shardCount = 1) {
  const stream = await newStream(kinesis, shardCount);
  const { client, ...faults } = faultyClient(kinesis.endpointUrl);
  const events: KinesisStreamEvent[] = [];
  const results: StreamInvocationResult[] = [];
  const errors: Error[] = [];
  const start = (options: Options = {}) => {
    const mapping = startStreamMapping({
      client,
      streamName: stream.name,
      streamArn: stream.arn,
      functionName: 'deliver',
      functionTimeoutSeconds: 900,
      region: 'eu-central-1',
      clock: quickClock(),
      onInvocation: (result) => results.push(result),
      onError: (error) => errors.push(error),
      ...options,
      handler: async (event, context) => {
        events.push(structuredClone(event));
        return await options.handler?.(event, context);
      },
    });
    onTestFinished(async () => {
      await mapping.stop();
      await stream.delete();
      client.destroy();
    });
    return mapping;
  };
  return { stream, start, events, results, errors, faults };
}

const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { interval: 2, timeout: 10_000 });
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i));
const failing = ({ Records }: KinesisStreamEvent, from: number): KinesisStreamBatchResponse => ({
  batchItemFailures: Records.slice(from).map(({ kinesis }) => ({ itemIdentifier: kinesis.sequenceNumber })),
});

it('invokes the function with events and a context of Lambda’s shape', async () => {
  const { stream, start, events } = await testStream();
  const before = Date.now() / 1000;
  await stream.put(['{"t":21}'], () => 'device-7');
  const arns: string[] = [];
  await start({ handler: async (_, { invokedFunctionArn }) => void arns.push(invokedFunctionArn) }).settle();
  const { sequenceNumber, approximateArrivalTimestamp } = events[0]!.Records[0]!.kinesis;
  expect(approximateArrivalTimestamp).toBeGreaterThan(before - 1);
  expect(approximateArrivalTimestamp).toBeLessThan(before + 60);
  expect(events).toEqual([
    {
      Records: [
        {
          kinesis: {
            kinesisSchemaVersion: '1.0',
            partitionKey: 'device-7',
            sequenceNumber: expect.stringMatching(/^\d{56}$/),
            data: 'eyJ0IjoyMX0=',
            approximateArrivalTimestamp,
          },
          eventSource: 'aws:kinesis',
          eventVersion: '1.0',
          eventID: `shardId-000000000000:${sequenceNumber}`,
          eventName: 'aws:kinesis:record',
          invokeIdentityArn: 'arn:aws:iam::123456789012:role/deliver',
          awsRegion: 'eu-central-1',
          eventSourceARN: stream.arn,
        },
      ],
    },
  ]);
  expect(arns).toEqual(['arn:aws:lambda:eu-central-1:123456789012:function:deliver']);
});

describe('a batch is invoked', () => {
  it('at once with the available records when the mapping has no window', async () => {
    const { stream, start, events } = await testStream();
    await stream.put(numbers(25));
    await start({ batchSize: 10 }).settle();
    expect(events.map(textsOf)).toEqual([numbers(10), numbers(10, 10), numbers(5, 20)]);
  });

  it('when its window ends, counted from its first record, or it is full', async () => {
    const { stream, start, events, faults } = await testStream();
    const clock = new FakeClock();
    const mapping = start({ clock, batchSize: 3, windowSeconds: 5 });
    await mapping.settle();
    let settled = Promise.resolve();
    const put = async (text: string) => {
      await stream.put([text]);
      const reads = faults.reads();
      settled = mapping.settle();
      await until(() => faults.reads() > reads);
    };
    await put('a');
    await clock.advance(4_000);
    await put('b');
    await clock.advance(999);
    expect(events).toEqual([]);
    await clock.advance(1);
    await settled;
    expect(events.map(textsOf)).toEqual([['a', 'b']]);

    for (const text of ['c', 'd', 'e']) await put(text);
    await settled;
    expect(events.map(textsOf)).toEqual([
      ['a', 'b'],
      ['c', 'd', 'e'],
    ]);
  });

  it('before its event would exceed 6 MB', async () => {
    const { stream, start, events, results } = await testStream();
    const lengths = [900_000, 900_000, 900_000, 900_000, 900_000, 10, 1_000_000, 1_000_000, 1_000_000, 1_000_000];
    await stream.put(
      lengths.map((length) => 'x'.repeat(length)),
      () => 'key',
    );
    await start({ batchSize: lengths.length }).settle();
    const sizes = events.map((event) => Buffer.byteLength(JSON.stringify(event)));
    expect(results.map(({ bytes }) => bytes)).toEqual(sizes);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_EVENT_BYTES);
    expect(events.flatMap(textsOf).map(({ length }) => length)).toEqual(lengths);
    expect(sizes[0]! + JSON.stringify(events[1]!.Records[0]).length).toBeGreaterThan(MAX_EVENT_BYTES);
  });
});

describe('after a response', () => {
  it('with failures, records are retried from the lowest failed one on', async () => {
    const { stream, start, events, results } = await testStream();
    await stream.put(['a', 'b', 'c', 'd', 'e']);
    const responses = [
      ({ Records }: KinesisStreamEvent) => ({
        // Not in order: the lowest one is the checkpoint.
        batchItemFailures: [4, 2, 3].map((i) => ({ itemIdentifier: Records[i]!.kinesis.sequenceNumber })),
      }),
      (event: KinesisStreamEvent) => {
        const response = failing(event, 0);
        event.Records.length = 0;
        return response;
      },
    ];
    await start({ handler: async (event) => responses.shift()?.(event) }).settle();
    expect(events.map(textsOf)).toEqual([
      ['a', 'b', 'c', 'd', 'e'],
      ['c', 'd', 'e'],
      ['c', 'd', 'e'],
    ]);
    expect(results.map(({ failedSequenceNumbers }) => failedSequenceNumbers.length)).toEqual([3, 3, 0]);
  });

  it.each<[string, (event: KinesisStreamEvent) => unknown]>([
    ['of an unknown sequence number', () => ({ batchItemFailures: [{ itemIdentifier: '1' }] })],
    ['of an empty identifier', () => ({ batchItemFailures: [{ itemIdentifier: '' }] })],
    [
      'of a misspelt key',
      ({ Records }) => ({ batchItemFailures: [{ identifier: Records[1]!.kinesis.sequenceNumber }] }),
    ],
    ['that is a string', () => 'fine'],
    ['that is an error', () => Promise.reject(new Error('no route'))],
    ['that never arrives', () => new Promise(() => {})],
  ])('%s the whole batch is retried', async (_, response) => {
    const { stream, start, events, results } = await testStream();
    await stream.put(['a', 'b']);
    const handler = async (event: KinesisStreamEvent) => {
      if (events.length === 1) return (await response(event)) as KinesisStreamBatchResponse;
    };
    await start({ handler, functionTimeoutSeconds: 1 }).settle();
    expect(events.map(textsOf)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(results.map(({ error }) => error)).toEqual([expect.any(Error), undefined]);
  });
});

describe('a batch that keeps failing', () => {
  it('is retried after pauses that grow to 5 s', async () => {
    const { stream, start, events, faults } = await testStream();
    await stream.put(['a']);
    const clock = new FakeClock();
    const triedAt: number[] = [];
    start({
      clock,
      handler: async () => {
        triedAt.push(clock.now());
        throw new Error('the broker is away');
      },
    });
    await until(() => events.length === 1);
    await clock.advance(16_300);
    const pauses = triedAt.slice(1).map((at, i) => at - triedAt[i]!);
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    expect(faults.reads()).toBe(1);
  });

  it('is bisected until the poison record is alone, which is retried until it succeeds', async () => {
    const { stream, start, events, results, errors } = await testStream();
    await stream.put(numbers(16));
    let failures = 0;
    const handler = async (event: KinesisStreamEvent) => {
      const texts = textsOf(event);
      if (texts.includes('5') && (texts.length > 1 || ++failures <= 2)) throw new Error('poison');
    };
    await start({ handler, bisectBatchOnFunctionError: true }).settle();
    const succeeded = events.filter((_, i) => results[i]!.error === undefined).flatMap(textsOf);
    expect(succeeded).toEqual(numbers(16));
    expect(events.map(textsOf).filter((texts) => texts.length === 1 && texts[0] === '5')).toHaveLength(3);
    expect(errors).toEqual([]);
  });

  it('is retried whole without bisecting, and later batches wait', async () => {
    const { stream, start, events } = await testStream();
    await stream.put(numbers(6));
    const handler = async () => {
      if (events.length === 1) throw new Error('poison');
    };
    await start({ handler, batchSize: 3 }).settle();
    expect(events.map(textsOf)).toEqual([numbers(3), numbers(3), numbers(3, 3)]);
  });
});

describe('a mapping', () => {
  it('settles when all records in the stream at the call are done, whatever it read before', async () => {
    const { stream, start, events, faults } = await testStream();
    const clock = new FakeClock();
    const mapping = start({ clock });
    await mapping.settle();
    await stream.put(['a']);
    faults.fail('GetRecords', ['ProvisionedThroughputExceededException']);
    const lists = faults.lists();
    let isSettled = false;
    const settled = mapping.settle().then(() => {
      isSettled = true;
    });
    await until(() => faults.pendingFaults() === 0 && faults.lists() > lists);
    await clock.advance(99);
    expect([isSettled, events]).toEqual([false, []]);
    await clock.advance(1);
    await settled;
    expect(events.map(textsOf)).toEqual([['a']]);
  });

  it('when disabled waits for running invocations, and continues from there when enabled', async () => {
    const { stream, start, events } = await testStream();
    await stream.put(numbers(8));
    let release = () => {};
    const mapping = start({
      batchSize: 3,
      handler: async () => {
        if (events.length === 2) await new Promise<void>((resolve) => (release = resolve));
      },
    });
    await until(() => events.length === 2);
    let isDisabled = false;
    const disabled = mapping.disable().then(() => {
      isDisabled = true;
    });
    await stream.put(['8']);
    expect([mapping.state, isDisabled]).toEqual(['Disabled', false]);
    release();
    await disabled;
    const settled = mapping.settle();
    await stream.put(['9']);
    expect(events).toHaveLength(2);
    mapping.enable();
    await settled;
    await mapping.settle();
    expect([mapping.state, events.flatMap(textsOf)]).toEqual(['Enabled', numbers(10)]);
  });

  it('repeats only failed records when it is disabled and enabled during a retry', async () => {
    const { stream, start, events } = await testStream();
    await stream.put(numbers(4));
    const clock = new FakeClock();
    const mapping = start({ clock, handler: async (event) => (events.length === 1 ? failing(event, 3) : undefined) });
    await until(() => events.length === 1);
    await mapping.disable();
    expect(clock.timers).toBe(0);
    mapping.enable();
    const settled = mapping.settle();
    await clock.advance(100);
    await settled;
    expect(events.map(textsOf)).toEqual([numbers(4), ['3']]);
  });

  it('never invokes two batches of a shard at once, however it is disabled and enabled', async () => {
    const { stream, start, events } = await testStream();
    await stream.put(numbers(2));
    const held: (() => void)[] = [];
    const mapping = start({ batchSize: 1, handler: () => new Promise<void>((resolve) => held.push(resolve)) });
    await until(() => held.length === 1);
    const disabled = mapping.disable();
    mapping.enable();
    await stream.put(['2']);
    expect(held).toHaveLength(1);
    held[0]!();
    await disabled;
    for (const i of [1, 2]) {
      await until(() => held.length === i + 1);
      held[i]!();
    }
    await mapping.settle();
    expect(events.flatMap(textsOf)).toEqual(numbers(3));
  });

  it('may be disabled by its own function', async () => {
    const { stream, start, events } = await testStream();
    await stream.put(numbers(5));
    let disabled: Promise<void> | undefined;
    const mapping = start({
      batchSize: 1,
      handler: async () => {
        disabled = mapping.disable();
        throw new Error('the password is wrong');
      },
    });
    await until(() => disabled !== undefined);
    await disabled;
    expect([mapping.state, events.map(textsOf)]).toEqual(['Disabled', [['0']]]);
  });

  it('stops permanently, and rejects pending settle calls', async () => {
    const { stream, start, events } = await testStream();
    await stream.put(['a']);
    const clock = new FakeClock();
    const mapping = start({ clock, handler: () => Promise.reject(new Error('away')) });
    await until(() => events.length === 1);
    const settled = expect(mapping.settle()).rejects.toThrow('stopped');
    await mapping.stop();
    await settled;
    await expect(mapping.settle()).rejects.toThrow('stopped');
    expect(() => mapping.enable()).toThrow('stopped');
    expect(clock.timers).toBe(0);
  });

  it.each<[string, Options]>([
    ['batchSize: got 10001', { batchSize: 10_001 }],
    ['windowSeconds: got 301', { windowSeconds: 301 }],
    ['functionTimeoutSeconds: got 901', { functionTimeoutSeconds: 901 }],
  ])('refuses an option: %s', async (message, options) => {
    const { stream, start } = await testStream();
    onTestFinished(() => stream.delete());
    expect(() => start(options)).toThrow(message);
  });
});

describe('shards', () => {
  it('are processed independently: a failing shard does not delay another', async () => {
    const { stream, start, events, results } = await testStream(2);
    await stream.put(numbers(20));
    const stuck = shardIdOf(0);
    const mapping = start({
      handler: async ({ Records }) => {
        if (Records[0]!.eventID.startsWith(stuck)) throw new Error('away');
      },
    });
    await until(() => results.some(({ error }) => error === undefined));
    const passed = events.filter((_, i) => results[i]?.error === undefined).flatMap(({ Records }) => Records);
    expect(passed.every(({ eventID }) => eventID.startsWith(shardIdOf(1)))).toBe(true);
    await mapping.stop();
  });

  it('are completed before their child shards, so that each key keeps its order', async () => {
    const { stream, start, events } = await testStream();
    const key = (text: string) => `key ${Number(text) % 7}`;
    await stream.put(numbers(20), key);
    let release = () => {};
    const mapping = start({
      batchSize: 50,
      handler: async () => {
        if (events.length === 1) await new Promise<void>((resolve) => (release = resolve));
      },
    });
    await until(() => events.length === 1);
    await stream.split(0);
    await stream.put(numbers(20, 20), key);
    await stream.merge(1, 2);
    await stream.put(numbers(20, 40), key);
    expect(events).toHaveLength(1);
    release();
    await mapping.settle();

    const shards = events.map(({ Records }) => Records[0]!.eventID.split(':')[0]);
    expect(shards.toSorted()).toEqual([0, 1, 2, 3].map(shardIdOf));
    expect([shards[0], shards[3]]).toEqual([shardIdOf(0), shardIdOf(3)]);
    const done = events.flatMap(textsOf);
    for (const text of numbers(7)) {
      const ofKey = (one: string) => key(one) === key(text);
      expect(done.filter(ofKey)).toEqual(numbers(60).filter(ofKey));
    }

    await stream.split(3);
    await stream.put(numbers(5, 60), key);
    await mapping.settle();
    expect(events.flatMap(textsOf)).toHaveLength(65);
  });
});

describe('an API that fails', () => {
  it('is retried, and reported once until it works', async () => {
    const { stream, start, events, errors, faults } = await testStream();
    faults.fail('ListShards', ['TimeoutError', 'InternalFailure']);
    faults.fail('GetShardIterator', ['TimeoutError']);
    faults.fail('GetRecords', ['TimeoutError', 'InternalFailure', 'TimeoutError']);
    await stream.put(['a']);
    const mapping = start();
    await mapping.settle();
    expect([events.map(textsOf), faults.pendingFaults()]).toEqual([[['a']], 0]);
    // Once for the list, which then works, and once for the shard, whose reads still fail.
    expect(errors.map(({ message }) => message)).toEqual([
      `stream ${stream.name} cannot be read; retrying`,
      `stream ${stream.name}, shard shardId-000000000000 cannot be read; retrying`,
    ]);
    expect(errors[0]!.cause).toEqual(expect.objectContaining({ name: 'TimeoutError' }));

    faults.fail('GetRecords', ['TimeoutError', 'TimeoutError']);
    await stream.put(['b']);
    await mapping.settle();
    expect([events.flatMap(textsOf), errors.length]).toEqual([['a', 'b'], 3]);
  });

  it('is not reported when it throttles or an iterator has expired', async () => {
    const { stream, start, events, errors, faults } = await testStream();
    const mapping = start({ batchSize: 2 });
    await stream.put(numbers(3));
    await mapping.settle();
    faults.fail('GetRecords', ['ExpiredIteratorException', 'ProvisionedThroughputExceededException']);
    faults.fail('GetShardIterator', ['ProvisionedThroughputExceededException']);
    await stream.put(numbers(3, 3));
    await mapping.settle();
    expect([events.flatMap(textsOf), errors, faults.pendingFaults()]).toEqual([numbers(6), [], 0]);
  });
});

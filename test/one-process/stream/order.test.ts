import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { startKinesis } from '../../../localstack/one-process/kinesis.ts';
import { startStreamMapping } from '../../../localstack/one-process/stream/mapping.ts';
import { runs } from '../../support/property-runs.ts';
import { quickClock } from './quick-clock.ts';
import { newStream, textsOf } from './streams.ts';

type Fate = 'throws' | 'answers nonsense' | 'is disabled' | { readonly failsFrom: number } | 'succeeds';

/** How a function fares, call by call; after these it succeeds. */
const fates = fc.array(
  fc.oneof(
    fc.constantFrom<Fate>('throws', 'answers nonsense', 'is disabled', 'succeeds'),
    fc.record({ failsFrom: fc.nat(12) }),
  ),
  { maxLength: 12 },
);

const options = fc.record({
  batchSize: fc.constantFrom(1, 2, 5, 100),
  windowSeconds: fc.constantFrom(0, 1),
  bisectBatchOnFunctionError: fc.boolean(),
});

it('brings every record of a shard to its end once, in order, however the function fares', async () => {
  const kinesis = await startKinesis();
  onTestFinished(() => kinesis.close());
  const property = fc.asyncProperty(fates, options, fc.integer({ min: 1, max: 25 }), async (fates, options, count) => {
    const stream = await newStream(kinesis, 2);
    const done: { shard: string; text: string }[] = [];
    const ahead = [...fates];
    const mapping = startStreamMapping({
      ...options,
      client: kinesis.client,
      streamName: stream.name,
      streamArn: stream.arn,
      functionName: 'deliver',
      functionTimeoutSeconds: 900,
      region: 'eu-central-1',
      clock: quickClock(),
      handler: async (event) => {
        const fate = ahead.shift() ?? 'succeeds';
        if (fate === 'is disabled') again = mapping.disable().then(() => mapping.enable());
        const { first, answer } = await fare(fate, event);
        const shard = event.Records[0]!.eventID.split(':')[0]!;
        for (const text of textsOf(event).slice(0, first)) done.push({ shard, text });
        return answer;
      },
      onError(error) {
        throw error;
      },
    });
    let again = Promise.resolve();
    const texts = Array.from({ length: count }, (_, i) => String(i));
    // The second half comes when the mapping may be at the tip.
    await stream.put(texts.slice(0, count >> 1));
    await stream.put(texts.slice(count >> 1));
    await mapping.settle();
    await again;
    await mapping.stop();
    await stream.delete();

    expect(done.map(({ text }) => text).toSorted()).toEqual(texts.toSorted());
    for (const shard of new Set(done.map(({ shard }) => shard))) {
      const ofShard = done.filter((one) => one.shard === shard).map(({ text }) => Number(text));
      expect(ofShard).toEqual(ofShard.toSorted((a, b) => a - b));
    }
  });
  await fc.assert(property, { numRuns: runs(25) });
});

/** How many records, from the first, the function is done with, and what it says of them; it may also throw. */
async function fare(
  fate: Fate,
  { Records }: KinesisStreamEvent,
): Promise<{ first: number; answer?: KinesisStreamBatchResponse }> {
  if (fate === 'throws') throw new Error('away');
  if (fate === 'answers nonsense') return { first: 0, answer: { batchItemFailures: [{ itemIdentifier: '' }] } };
  if (typeof fate === 'string' || fate.failsFrom >= Records.length) return { first: Records.length };
  const { sequenceNumber } = Records[fate.failsFrom]!.kinesis;
  return { first: fate.failsFrom, answer: { batchItemFailures: [{ itemIdentifier: sequenceNumber }] } };
}

import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { startKinesis } from '../../../localstack/one-process/kinesis.ts';
import { startStreamMapping } from '../../../localstack/one-process/stream/mapping.ts';
import { runs } from '../../support/property-runs.ts';
import { quickClock } from './quick-clock.ts';
import { newStream, textsOf } from './streams.ts';

type Behaviour = 'throws' | 'responds invalidly' | 'is disabled' | { readonly failsFrom: number } | 'succeeds';

/** The behaviour of a function in its first invocations; then it succeeds. */
const behaviours = fc.array(
  fc.oneof(
    fc.constantFrom<Behaviour>('throws', 'responds invalidly', 'is disabled', 'succeeds'),
    fc.record({ failsFrom: fc.nat(12) }),
  ),
  { maxLength: 12 },
);

const options = fc.record({
  batchSize: fc.constantFrom(1, 2, 5, 100),
  windowSeconds: fc.constantFrom(0, 1),
  bisectBatchOnFunctionError: fc.boolean(),
});

it('completes each record of a shard once, in order, whatever the function does', async () => {
  const kinesis = await startKinesis();
  onTestFinished(() => kinesis.close());
  const property = fc.asyncProperty(
    behaviours,
    options,
    fc.integer({ min: 1, max: 25 }),
    async (behaviours, options, count) => {
      const stream = await newStream(kinesis, 2);
      const done: { shard: string; text: string }[] = [];
      const upcoming = [...behaviours];
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
          const behaviour = upcoming.shift() ?? 'succeeds';
          if (behaviour === 'is disabled') enabled = mapping.disable().then(() => mapping.enable());
          const { first, response } = await respond(behaviour, event);
          const shard = event.Records[0]!.eventID.split(':')[0]!;
          for (const text of textsOf(event).slice(0, first)) done.push({ shard, text });
          return response;
        },
        onError(error) {
          throw error;
        },
      });
      let enabled = Promise.resolve();
      const texts = Array.from({ length: count }, (_, i) => String(i));
      // The second half is put when the mapping may be at the tip of the shard.
      await stream.put(texts.slice(0, count >> 1));
      await stream.put(texts.slice(count >> 1));
      await mapping.settle();
      await enabled;
      await mapping.stop();
      await stream.delete();

      expect(done.map(({ text }) => text).toSorted()).toEqual(texts.toSorted());
      for (const shard of new Set(done.map(({ shard }) => shard))) {
        const ofShard = done.filter((one) => one.shard === shard).map(({ text }) => Number(text));
        expect(ofShard).toEqual(ofShard.toSorted((a, b) => a - b));
      }
    },
  );
  await fc.assert(property, { numRuns: runs(25) });
}, 120_000);

/** Behaves as given: returns how many records, from the first, are done, and the response; or throws. */
async function respond(
  behaviour: Behaviour,
  { Records }: KinesisStreamEvent,
): Promise<{ first: number; response?: KinesisStreamBatchResponse }> {
  if (behaviour === 'throws') throw new Error('away');
  if (behaviour === 'responds invalidly')
    return { first: 0, response: { batchItemFailures: [{ itemIdentifier: '' }] } };
  if (typeof behaviour === 'string' || behaviour.failsFrom >= Records.length) return { first: Records.length };
  const { sequenceNumber } = Records[behaviour.failsFrom]!.kinesis;
  return { first: behaviour.failsFrom, response: { batchItemFailures: [{ itemIdentifier: sequenceNumber }] } };
}

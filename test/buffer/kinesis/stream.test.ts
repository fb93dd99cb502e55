import type { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import type { Context } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetryLater } from '../../../lambdas/core/errors.ts';
import { kinesis } from '../../../lambdas/deliver/kinesis/kinesis.ts';
import { kinesisSink, type PutRecords } from '../../../lambdas/deliver/kinesis/sink.ts';
import type { Outcome } from '../../../lambdas/deliver/sink.ts';
import { createHandler, type Handler } from '../../../lambdas/worker/handler.ts';
import { envelope, kinesisEvent } from '../../support/messages.ts';
import { runs } from '../../support/property-runs.ts';
import { taskWith } from '../../support/scripted-task.ts';
import { scriptedQueues, WORKER_ENV } from '../../support/task-queues.ts';

// Retries of this policy are over after twenty seconds.
const retryPolicy = { steps: [{ times: 2, minSeconds: 5, maxSeconds: 10 }] };
const TOTAL_MS = 20_000;
/** Leaves time for one call, and for no second one. */
const context = { getRemainingTimeInMillis: () => 27_050 } as Context;

interface Message {
  readonly client: string;
  /** How often Kinesis refuses it. */
  readonly failures: number;
}

/** A shard of messages before a worker, and AWS Lambda's poller in between: a batch at a time, again from where it failed. */
async function drain(
  messages: readonly Message[],
  { batch, everyMs, forgets, order }: { batch: number; everyMs: number; forgets: number; order: 'strict' | 'relaxed' },
) {
  let now = 1_795_251_600_000;
  const accepted: number[] = [];
  const tries = messages.map(() => [] as number[]);
  const client = {
    async send({ input }: PutRecordsCommand) {
      return {
        Records: input.Records!.map(({ Data }) => {
          const n = Number(Buffer.from(Data!).toString());
          tries[n]!.push(now);
          if (tries[n]!.length <= messages[n]!.failures) return { ErrorCode: 'InternalFailure' };
          accepted.push(n);
          return { SequenceNumber: '1', ShardId: 's' };
        }),
      };
    },
    destroy() {},
  } as unknown as PutRecords;
  const queues = scriptedQueues();
  const start = (): Handler =>
    createHandler(
      { ...kinesis, open: (options) => kinesisSink(options, () => client) },
      {
        spec: {
          v: 1,
          task: 'Ordered',
          source: { type: 'iot-core', filters: ['t'] },
          buffer: { type: 'stream', order },
          retryPolicy,
          sink: { type: 'kinesis', stream: 's', partitionKey: '${clientid}', payload: '${payload}', maxRecords: 3 },
        },
        env: WORKER_ENV,
        queues,
        now: () => now,
        report: () => {},
      },
    );
  const { Records: records } = kinesisEvent(
    messages.map(({ client: clientid }, n) => JSON.stringify(envelope(`${n}`, { clientid }))),
  );
  let handler = start();
  let from = 0;
  for (let invocation = 1; from < records.length; invocation++) {
    const { batchItemFailures } = await handler({ Records: records.slice(from, from + batch) }, context);
    const [first] = batchItemFailures;
    from = first === undefined ? from + batch : Number(first.itemIdentifier);
    now += everyMs;
    if (forgets > 0 && invocation % forgets === 0) handler = start();
  }
  return {
    accepted,
    tries,
    dead: queues.dlqMessages.map(({ body }) => Number(Buffer.from(JSON.parse(body).payload, 'base64'))),
    dlqMessages: queues.dlqMessages,
  };
}

const message = fc.record({
  client: fc.constantFrom('a', 'b', 'c'),
  failures: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 6 }), fc.constant(Infinity)),
});
const conditions = fc.record({
  batch: fc.integer({ min: 1, max: 12 }),
  everyMs: fc.integer({ min: 500, max: 8_000 }),
  // A sandbox that is replaced more often would never remember a record for as long as the policy takes.
  forgets: fc.constantFrom(0, 60),
});

describe('a stream as buffer (E5)', () => {
  it.each(['strict', 'relaxed'] as const)(
    '%s: every message ends once delivered or dead, and none is given up early',
    async (order) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(message, { minLength: 1, maxLength: 25 }),
          conditions,
          async (messages, { ...given }) => {
            const { accepted, tries, dead, dlqMessages } = await drain(messages, { ...given, order });
            const ends = [...new Set(accepted), ...dead].sort((a, b) => a - b);
            expect([...new Set(ends)]).toEqual(messages.map((_, n) => n));
            for (const n of dead) {
              expect(messages[n]!.failures).toBeGreaterThan(0);
              expect(tries[n]!.at(-1)! - tries[n]![0]!).toBeGreaterThanOrEqual(TOTAL_MS);
            }
            for (const { error, exhausted } of dlqMessages) {
              expect(error.code).toBe('RETRIES_EXHAUSTED');
              expect(exhausted).toBe('MaximumRetryAttempts');
            }
            // What a running function has delivered it does not deliver again.
            if (given.forgets === 0) expect(accepted).toHaveLength(new Set(accepted).size);
          },
        ),
        { numRuns: runs(60) },
      );
    },
  );

  it('strict: a client’s messages arrive in their order, whatever fails', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 25 }), conditions, async (messages, given) => {
        const { accepted } = await drain(messages, { ...given, order: 'strict' });
        const first = [...new Set(accepted)];
        for (const client of ['a', 'b', 'c']) {
          const own = first.filter((n) => messages[n]!.client === client);
          expect(own).toEqual([...own].sort((a, b) => a - b));
        }
      }),
      { numRuns: runs(60) },
    );
  });

  it('counts records that are retried and parked, and reports them for redelivery', async () => {
    const retry: Outcome = { status: 'retry', error: new RetryLater('later') };
    const outcomes: Record<string, Outcome> = { a: { status: 'delivered' }, b: retry, c: { status: 'unsent' } };
    const task = taskWith({ buffer: { type: 'stream' }, deliver: (payload) => outcomes[`${payload}`]! });
    const event = kinesisEvent(['b', 'a', 'c'].map((text) => JSON.stringify(envelope(text))));
    await task.handler(event);
    await task.handler(event);
    expect(task.reports).toMatchObject([
      { received: 3, delivered: 1, retried: 1, parked: 1 },
      { received: 2, delivered: 0, retried: 1, parked: 1 },
    ]);
    expect(task.reports.map(({ failed }) => failed.length)).toEqual([2, 2]);
  });

  it('counts the time during which a record was tried as failing, not the time of a pause (D18)', async () => {
    let now = 1_795_251_600_000;
    const error = new RetryLater('later');
    const task = taskWith({
      buffer: { type: 'stream' },
      retryPolicy,
      deliver: () => ({ status: 'retry', error }),
      now: () => now,
    });
    const event = kinesisEvent([JSON.stringify(envelope('x'))]);
    const deadLettersAfter = async (ms: number) => {
      now += ms;
      await task.handler(event);
      return task.dlqMessages.length;
    };
    expect(await deadLettersAfter(0)).toBe(0);
    expect(await deadLettersAfter(3_600_000)).toBe(0);
    // The policy gives two retries: three tries, and as long as they take.
    expect(await deadLettersAfter(TOTAL_MS)).toBe(1);
  });

  it('relaxed: starts nothing after a batch that left a record over', async () => {
    const messages = Array.from({ length: 9 }, (_, n) => ({ client: 'a', failures: n === 1 ? 1 : 0 }));
    const { tries } = await drain(messages, { batch: 9, everyMs: 1000, forgets: 0, order: 'relaxed' });
    const [start] = tries[0] as [number];
    // Three records are a call here: those of the second and third come with the next invocation, after the one that failed.
    expect(tries.map(([at]) => at! - start)).toEqual([0, 0, 0, 1000, 1000, 1000, 1000, 1000, 1000]);
    expect(tries[1]).toHaveLength(2);
  });
});

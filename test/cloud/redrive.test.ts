import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { readDeadLetter } from '../../bin/cloud/dead-letter.ts';
import {
  type DeadLetterQueue,
  type ReceivedDeadLetter,
  scan,
  VISIBILITY_SECONDS,
} from '../../bin/cloud/dead-letter-queue.ts';
import { redrive, total } from '../../bin/cloud/redrive.ts';
import { streamTarget } from '../../bin/cloud/redrive-target.ts';
import { deadLetterText } from '../../bin/commands/dlq.ts';
import { envelope } from '../support/messages.ts';
import { runs } from '../support/property-runs.ts';

const TASK = { name: 'Warm', rules: ['warm_rule'] };
const NOW = 1_795_251_600_000;

const deadLetter = (
  n: number,
  code: string | undefined,
  over: Partial<ReceivedDeadLetter> = {},
): ReceivedDeadLetter => ({
  messageId: `m${n}`,
  receiptHandle: `r${n}`,
  body: JSON.stringify({ n }),
  sentAt: NOW - 1_000_000,
  attributes: code === undefined ? {} : { ERROR_CODE: { DataType: 'String', StringValue: code } },
  ...over,
});

/** A dead-letter queue in memory, and the messages that its task has stored. */
function queueOf(held: ReceivedDeadLetter[], stores: (one: ReceivedDeadLetter) => boolean = () => true) {
  const inFlight = new Set<ReceivedDeadLetter>();
  const stored: ReceivedDeadLetter[] = [];
  const queue: DeadLetterQueue = {
    async receive() {
      const some = held.filter((one) => !inFlight.has(one)).slice(0, 10);
      for (const one of some) inFlight.add(one);
      return some;
    },
    async extend() {},
    async release(deadLetters) {
      for (const one of deadLetters) inFlight.delete(one);
    },
    async redrive(deadLetters) {
      return deadLetters.map((one) => {
        const isStored = stores(one);
        if (isStored) {
          stored.push(one);
          held.splice(held.indexOf(one), 1);
          inFlight.delete(one);
        }
        return isStored;
      });
    },
  };
  return { queue, inFlight, stored, held };
}

describe('redrive', () => {
  const codes = fc.constantFrom('REJECTED', 'EXPIRED', 'CRASHED');

  it('redrives each dead letter of the given codes that can be stored, and releases all others', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(codes, fc.boolean()), { maxLength: 60 }),
        fc.subarray(['REJECTED', 'EXPIRED', 'CRASHED']),
        fc.boolean(),
        async (kinds, wanted, isDry) => {
          const all = kinds.map(([code], n) => deadLetter(n, code));
          const isStored = (one: ReceivedDeadLetter) => kinds[Number(one.messageId.slice(1))]![1];
          const { queue, inFlight, stored, held } = queueOf([...all], isStored);
          const counts = await redrive(TASK, queue, { codes: wanted, isDry, now: () => NOW });
          const matching = all.filter((_, n) => wanted.length === 0 || wanted.includes(kinds[n]![0]));
          expect(stored).toEqual(isDry ? [] : matching.filter(isStored));
          expect(total(counts.redriven)).toBe(isDry ? matching.length : stored.length);
          expect(total(counts.redriven) + total(counts.skipped) + total(counts.failed)).toBe(all.length);
          expect([...stored, ...held].length).toBe(all.length);
          expect(inFlight.size).toBe(0);
        },
      ),
    ));

  it('ends although redriven messages are dead-lettered again at once', async () => {
    const box = queueOf([deadLetter(0, 'REJECTED'), deadLetter(1, 'REJECTED')]);
    let back = 10;
    const queue: DeadLetterQueue = {
      ...box.queue,
      async redrive(deadLetters) {
        const stored = await box.queue.redrive(deadLetters);
        for (const one of deadLetters) box.held.push({ ...one, messageId: `m${back++}`, sentAt: NOW + 1 });
        return stored;
      },
    };
    const counts = await redrive(TASK, queue, { codes: [], isDry: false, now: () => NOW });
    expect(counts).toMatchObject({ redriven: { REJECTED: 2 }, returned: { REJECTED: 2 } });
  });

  it('leaves the dead letters of other tasks in a shared queue', async () => {
    const other = { TASK: { DataType: 'String', StringValue: 'Cold' } };
    const ruleError = (ruleName: string) => JSON.stringify({ ruleName, base64OriginalPayload: 'e30=', failures: [] });
    const { queue, stored } = queueOf([
      deadLetter(0, undefined, { attributes: other }),
      deadLetter(1, undefined, { body: ruleError('cold_rule') }),
      deadLetter(2, undefined, { body: ruleError('warm_rule') }),
    ]);
    await redrive(TASK, queue, { codes: [], isDry: false, now: () => NOW });
    expect(stored.map(({ messageId }) => messageId)).toEqual(['m2']);
  });

  it('leaves the dead letters of a task of the same name in another stack', async () => {
    const of = (n: number, ruleArn: string) => {
      const texts = { ERROR_CODE: 'REJECTED', TASK: 'Telemetry', RULE_ARN: ruleArn };
      const attributes = Object.entries(texts).map(([name, StringValue]) => {
        return [name, { DataType: 'String', StringValue }] as const;
      });
      return deadLetter(n, undefined, { attributes: Object.fromEntries(attributes) });
    };
    const arn = (rule: string) => `arn:aws:iot:us-east-1:111111111111:rule/${rule}`;
    const { queue, stored } = queueOf([
      of(0, arn('Dev_TelemetryRule0_Ab1')),
      of(1, arn('Prod_TelemetryRule0_Cd2')),
      of(2, arn('Dev_TelemetryRule1_Gone')),
      of(3, 'unknown'),
    ]);
    const dev = { name: 'Telemetry', rules: ['Dev_TelemetryRule0_Ab1'] };
    await redrive(dev, queue, { codes: [], isDry: false, now: () => NOW });
    expect(stored.map(({ messageId }) => messageId)).toEqual(['m0', 'm2', 'm3']);
  });

  it('leaves none of the given codes, however long it takes: those of other codes stay hidden until its end', async () => {
    let now = NOW;
    const held = Array.from({ length: 400 }, (_, n) => deadLetter(n, n < 200 ? 'EXPIRED' : 'REJECTED'));
    const hiddenUntil = new Map<ReceivedDeadLetter, number>();
    const hide = (deadLetters: readonly ReceivedDeadLetter[], ms: number) => {
      for (const one of deadLetters) hiddenUntil.set(one, now + ms);
    };
    const { queue, stored } = queueOf(held);
    const hiding: DeadLetterQueue = {
      ...queue,
      async receive() {
        const some = held.filter((one) => (hiddenUntil.get(one) ?? 0) <= now).slice(0, 10);
        hide(some, VISIBILITY_SECONDS * 1_000);
        return some;
      },
      extend: async (deadLetters) => hide(deadLetters, VISIBILITY_SECONDS * 1_000),
      release: async (deadLetters) => hide(deadLetters, 0),
    };
    const wait = async (ms: number) => {
      now += ms;
    };
    const options = { codes: ['REJECTED'], ratePerSecond: 1, isDry: false, now: () => now, wait };
    expect(await redrive(TASK, hiding, options)).toMatchObject({ redriven: { REJECTED: 200 }, mayHaveMore: false });
    expect(stored).toHaveLength(200);
    expect(held.every((one) => hiddenUntil.get(one)! <= now)).toBe(true);
  });

  it('keeps to its rate', async () => {
    let now = NOW;
    const { queue } = queueOf(Array.from({ length: 25 }, (_, n) => deadLetter(n, 'REJECTED')));
    const wait = async (ms: number) => {
      now += ms;
    };
    await redrive(TASK, queue, { codes: [], ratePerSecond: 5, isDry: false, now: () => now, wait });
    expect(now - NOW).toBe(5_000);
  });
});

describe('a scan', () => {
  it('yields each dead letter once and ends, although visibility timeouts end before it does', async () => {
    const held = Array.from({ length: 25 }, (_, n) => deadLetter(n, 'REJECTED'));
    let at = 0;
    const queue: DeadLetterQueue = {
      ...queueOf([]).queue,
      receive: async () => Array.from({ length: 10 }, () => held[at++ % held.length]!),
    };
    const seen: string[] = [];
    const onRepeats = vi.fn();
    for await (const { deadLetters } of scan(queue, { onRepeats }))
      seen.push(...deadLetters.map(({ messageId }) => messageId));
    expect(seen.sort()).toEqual(held.map(({ messageId }) => messageId).sort());
    expect(onRepeats).toHaveBeenCalledOnce();
  });

  it('releases dead letters when its reader stops early, and reads no more than its limit', async () => {
    const { queue, inFlight } = queueOf(Array.from({ length: 40 }, (_, n) => deadLetter(n, 'REJECTED')));
    for await (const { deadLetters } of scan(queue, { limit: 15, onRepeats() {} })) if (deadLetters.length < 10) break;
    let read = 0;
    for await (const { deadLetters } of scan(queue, { limit: 15, onRepeats() {} })) read += deadLetters.length;
    expect({ read, inFlight: inFlight.size }).toEqual({ read: 15, inFlight: 0 });
  });
});

describe('a dead letter', () => {
  it('of a rule’s error action is recognised by its body, and decoded', () => {
    const failures = [{ failedAction: 'SqsAction', failedResource: 'Queue', errorMessage: 'denied' }];
    const body = JSON.stringify({
      ruleName: 'warm_rule',
      topic: 'devices/d1/telemetry',
      cloudwatchTraceId: 'trace',
      clientId: 'd1',
      base64OriginalPayload: 'eyJuIjoxfQ==',
      failures,
    });
    expect(readDeadLetter({ messageId: 'm', body, attributes: {}, sentAt: NOW })).toMatchObject({
      code: 'RULE_ACTION_FAILED',
      error: 'SqsAction Queue: denied',
      rule: 'warm_rule',
      id: 'trace',
      firstSeen: NOW,
      envelope: { topic: 'devices/d1/telemetry', payload: 'eyJuIjoxfQ==' },
    });
  });

  const anything = fc.jsonValue();
  /** JSON that resembles an envelope or the message of an error action, with anything in its fields. */
  const lookalike = fc.record(
    {
      v: fc.constantFrom(1, 2, '1'),
      kind: anything,
      id: anything,
      topic: anything,
      clientid: anything,
      clientId: anything,
      timestamp: anything,
      payload: anything,
      userProperties: anything,
      ruleName: anything,
      cloudwatchTraceId: anything,
      base64OriginalPayload: fc.oneof(anything, fc.constant('e30=')),
      failures: fc.oneof(anything, fc.array(fc.oneof(anything, fc.constant(null)))),
    },
    { requiredKeys: [] },
  );
  const bodies = fc.oneof(
    fc.string(),
    fc.json(),
    lookalike.map((value) => JSON.stringify(value)),
  );
  const names = fc.constantFrom('ERROR_CODE', 'TASK', 'RULE_ARN', 'FIRST_SEEN', 'RETRY_ATTEMPTS', 'MESSAGE_ID', 'x');

  it('is read, shown and redriven or left, whatever the queue holds', async () => {
    await fc.assert(
      fc.asyncProperty(bodies, fc.dictionary(names, fc.string()), async (body, texts) => {
        const attributes = Object.fromEntries(
          Object.entries(texts).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
        );
        const received = deadLetter(0, undefined, { body, attributes });
        const read = readDeadLetter(received);
        expect(read).toMatchObject({ messageId: 'm0', body });
        expect(deadLetterText(read)).toContain('m0');
        expect(() => JSON.stringify(read)).not.toThrow();
        const { queue, stored, held } = queueOf([received]);
        await redrive(TASK, queue, { codes: [], isDry: false, now: () => NOW });
        expect([...stored, ...held]).toEqual([received]);
      }),
      { numRuns: runs(300) },
    );
  });

  it('that an unknown sender made is shown as unknown, and left in the queue', async () => {
    const malformed = { ruleName: 7, base64OriginalPayload: 'e30=', failures: [null] };
    const unknown = [JSON.stringify(malformed), '"x"', 'null', '{}', '<xml/>'].map((body, n) =>
      deadLetter(n, undefined, { body }),
    );
    for (const one of unknown)
      expect(readDeadLetter(one)).toMatchObject({ code: 'UNKNOWN', error: 'not a message of Outflow' });
    const { queue, held } = queueOf([...unknown]);
    const counts = await redrive(TASK, queue, { codes: [], isDry: false, now: () => NOW });
    expect(counts).toMatchObject({ redriven: {}, skipped: { UNKNOWN: unknown.length } });
    expect(held).toEqual(unknown);
  });
});

describe('a redrive to a stream', () => {
  it('has a partition key that the stream takes, and fails a batch that is refused', async () => {
    const keys: string[] = [];
    const notes: string[] = [];
    const send = async ({ input }: { input: { Records: { PartitionKey: string }[] } }) => {
      keys.push(...input.Records.map(({ PartitionKey }) => PartitionKey));
      throw new Error('not now');
    };
    const target = streamTarget({ send } as never, 's', (note) => notes.push(note));
    const dead = ['', 'd1', 'x'.repeat(257)].map((clientid, n) =>
      deadLetter(n, 'REJECTED', { body: JSON.stringify(envelope('x', { clientid })) }),
    );
    expect(await target(dead)).toEqual([false, false, false]);
    expect(keys.map((key) => (key === 'd1' ? key : key.length))).toEqual([36, 'd1', 36]);
    expect(notes).toEqual([expect.stringContaining('3 dead letters not stored: Error: not now')]);
  });
});

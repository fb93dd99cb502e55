import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { readLetter } from '../../bin/cloud/letter.ts';
import { LENT_SECONDS, type LentLetter, type LetterQueue, scan } from '../../bin/cloud/letter-queue.ts';
import { redrive, total } from '../../bin/cloud/redrive.ts';

const TASK = { name: 'Warm', rules: ['warm_rule'] };
const NOW = 1_795_251_600_000;

const letter = (n: number, code: string | undefined, over: Partial<LentLetter> = {}): LentLetter => ({
  messageId: `m${n}`,
  receiptHandle: `r${n}`,
  body: JSON.stringify({ n }),
  sentAt: NOW - 1_000_000,
  attributes: code === undefined ? {} : { ERROR_CODE: { DataType: 'String', StringValue: code } },
  ...over,
});

/** A queue that lends what it holds, and remembers what becomes of it. */
function letterBox(held: LentLetter[], stores: (letter: LentLetter) => boolean = () => true) {
  const lent = new Set<LentLetter>();
  const stored: LentLetter[] = [];
  const queue: LetterQueue = {
    async receive() {
      const some = held.filter((one) => !lent.has(one)).slice(0, 10);
      for (const one of some) lent.add(one);
      return some;
    },
    async keep() {},
    async giveBack(letters) {
      for (const one of letters) lent.delete(one);
    },
    async putBack(letters) {
      return letters.map((one) => {
        const isStored = stores(one);
        if (isStored) {
          stored.push(one);
          held.splice(held.indexOf(one), 1);
          lent.delete(one);
        }
        return isStored;
      });
    },
  };
  return { queue, lent, stored, held };
}

describe('redrive', () => {
  const codes = fc.constantFrom('REJECTED', 'EXPIRED', 'CRASHED');

  it('puts back each letter that is asked for and can be stored, and gives back all others', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(codes, fc.boolean()), { maxLength: 60 }),
        fc.subarray(['REJECTED', 'EXPIRED', 'CRASHED']),
        fc.boolean(),
        async (kinds, wanted, isDry) => {
          const all = kinds.map(([code], n) => letter(n, code));
          const isStored = (one: LentLetter) => kinds[Number(one.messageId.slice(1))]![1];
          const { queue, lent, stored, held } = letterBox([...all], isStored);
          const counts = await redrive(TASK, queue, { codes: wanted, isDry, now: () => NOW });
          const asked = all.filter((_, n) => wanted.length === 0 || wanted.includes(kinds[n]![0]));
          expect(stored).toEqual(isDry ? [] : asked.filter(isStored));
          expect(total(counts.redriven)).toBe(isDry ? asked.length : stored.length);
          expect(total(counts.redriven) + total(counts.skipped) + total(counts.failed)).toBe(all.length);
          expect([...stored, ...held].length).toBe(all.length);
          expect(lent.size).toBe(0);
        },
      ),
    ));

  it('ends, though what it puts back is dead-lettered again at once', async () => {
    const box = letterBox([letter(0, 'REJECTED'), letter(1, 'REJECTED')]);
    let back = 10;
    const queue: LetterQueue = {
      ...box.queue,
      async putBack(letters) {
        const stored = await box.queue.putBack(letters);
        for (const one of letters) box.held.push({ ...one, messageId: `m${back++}`, sentAt: NOW + 1 });
        return stored;
      },
    };
    const counts = await redrive(TASK, queue, { codes: [], isDry: false, now: () => NOW });
    expect(counts).toMatchObject({ redriven: { REJECTED: 2 }, returned: { REJECTED: 2 } });
  });

  it('leaves other tasks’ letters in a queue that several share', async () => {
    const other = { TASK: { DataType: 'String', StringValue: 'Cold' } };
    const ruleError = (ruleName: string) => JSON.stringify({ ruleName, base64OriginalPayload: 'e30=', failures: [] });
    const { queue, stored } = letterBox([
      letter(0, undefined, { attributes: other }),
      letter(1, undefined, { body: ruleError('cold_rule') }),
      letter(2, undefined, { body: ruleError('warm_rule') }),
    ]);
    await redrive(TASK, queue, { codes: [], isDry: false, now: () => NOW });
    expect(stored.map(({ messageId }) => messageId)).toEqual(['m2']);
  });

  it('leaves the letters of a task of the same name in another stack', async () => {
    const of = (n: number, ruleArn: string) => {
      const [TASK, RULE_ARN] = ['Telemetry', ruleArn].map((StringValue) => ({ DataType: 'String', StringValue }));
      return letter(n, 'REJECTED', { attributes: { TASK: TASK!, RULE_ARN: RULE_ARN! } });
    };
    const arn = (rule: string) => `arn:aws:iot:us-east-1:111111111111:rule/${rule}`;
    const { queue, stored } = letterBox([
      of(0, arn('Dev_TelemetryRule0_Ab1')),
      of(1, arn('Prod_TelemetryRule0_Cd2')),
      of(2, arn('Dev_TelemetryRule1_Gone')),
      of(3, 'unknown'),
    ]);
    const dev = { name: 'Telemetry', rules: ['Dev_TelemetryRule0_Ab1'] };
    await redrive(dev, queue, { codes: [], isDry: false, now: () => NOW });
    expect(stored.map(({ messageId }) => messageId)).toEqual(['m0', 'm2', 'm3']);
  });

  it('leaves none that is asked for, however long it takes: what is left is lent until its end', async () => {
    let now = NOW;
    const held = Array.from({ length: 400 }, (_, n) => letter(n, n < 200 ? 'EXPIRED' : 'REJECTED'));
    const lentUntil = new Map<LentLetter, number>();
    const lend = (letters: readonly LentLetter[], ms: number) => {
      for (const one of letters) lentUntil.set(one, now + ms);
    };
    const { queue, stored } = letterBox(held);
    const lending: LetterQueue = {
      ...queue,
      async receive() {
        const some = held.filter((one) => (lentUntil.get(one) ?? 0) <= now).slice(0, 10);
        lend(some, LENT_SECONDS * 1_000);
        return some;
      },
      keep: async (letters) => lend(letters, LENT_SECONDS * 1_000),
      giveBack: async (letters) => lend(letters, 0),
    };
    const wait = async (ms: number) => {
      now += ms;
    };
    const options = { codes: ['REJECTED'], ratePerSecond: 1, isDry: false, now: () => now, wait };
    expect(await redrive(TASK, lending, options)).toMatchObject({ redriven: { REJECTED: 200 }, mayHaveMore: false });
    expect(stored).toHaveLength(200);
    expect(held.every((one) => lentUntil.get(one)! <= now)).toBe(true);
  });

  it('keeps to its rate', async () => {
    let now = NOW;
    const { queue } = letterBox(Array.from({ length: 25 }, (_, n) => letter(n, 'REJECTED')));
    const wait = async (ms: number) => {
      now += ms;
    };
    await redrive(TASK, queue, { codes: [], ratePerSecond: 5, isDry: false, now: () => now, wait });
    expect(now - NOW).toBe(5_000);
  });
});

describe('a scan', () => {
  it('yields each letter once and ends, though loans end before it does', async () => {
    const held = Array.from({ length: 25 }, (_, n) => letter(n, 'REJECTED'));
    let at = 0;
    const queue: LetterQueue = {
      ...letterBox([]).queue,
      receive: async () => Array.from({ length: 10 }, () => held[at++ % held.length]!),
    };
    const seen: string[] = [];
    const onRepeats = vi.fn();
    for await (const { letters } of scan(queue, { onRepeats })) seen.push(...letters.map(({ messageId }) => messageId));
    expect(seen.sort()).toEqual(held.map(({ messageId }) => messageId).sort());
    expect(onRepeats).toHaveBeenCalledOnce();
  });

  it('gives back what was lent when its reader stops early, and reads no more than its limit', async () => {
    const { queue, lent } = letterBox(Array.from({ length: 40 }, (_, n) => letter(n, 'REJECTED')));
    for await (const { letters } of scan(queue, { limit: 15, onRepeats() {} })) if (letters.length < 10) break;
    let read = 0;
    for await (const { letters } of scan(queue, { limit: 15, onRepeats() {} })) read += letters.length;
    expect({ read, lent: lent.size }).toEqual({ read: 15, lent: 0 });
  });
});

describe('a letter', () => {
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
    expect(readLetter({ messageId: 'm', body, attributes: {}, sentAt: NOW })).toMatchObject({
      code: 'RULE_ACTION_FAILED',
      error: 'SqsAction Queue: denied',
      rule: 'warm_rule',
      id: 'trace',
      firstSeen: NOW,
      envelope: { topic: 'devices/d1/telemetry', payload: 'eyJuIjoxfQ==' },
    });
  });

  it('is read whatever the queue holds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.dictionary(fc.string(), fc.string()), (body, texts) => {
        const attributes = Object.fromEntries(
          Object.entries(texts).map(([name, StringValue]) => [name, { DataType: 'String', StringValue }]),
        );
        expect(readLetter({ messageId: 'm', body, attributes, sentAt: NOW })).toMatchObject({ messageId: 'm', body });
      }),
    );
  });
});

import { setImmediate as turn } from 'node:timers/promises';
import type { KinesisClient, PutRecordCommand } from '@aws-sdk/client-kinesis';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { putInOrder } from '../../localstack/one-process/kinesis.ts';

describe('putInOrder', () => {
  it('stores the records of a key in order, however long each call takes and whichever fails (E5)', async () => {
    const record = fc.record({ key: fc.constantFrom('a', 'b'), turns: fc.nat(5), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 20 }), async (records) => {
        const stored: number[] = [];
        const client = {
          async send({ input }: PutRecordCommand) {
            const n = Number(Buffer.from(input.Data!).toString());
            const { turns, fails } = records[n]!;
            for (let i = 0; i < turns; i++) await turn();
            if (fails) throw new Error('no');
            stored.push(n);
          },
        } as unknown as KinesisClient;
        const put = putInOrder(client);
        const results = await Promise.allSettled(records.map(({ key }, n) => put('s', key, Buffer.from(`${n}`))));
        expect(results.map(({ status }) => status === 'rejected')).toEqual(records.map(({ fails }) => fails));
        for (const key of ['a', 'b']) {
          const own = stored.filter((n) => records[n]!.key === key);
          expect(own).toEqual(own.toSorted((a, b) => a - b));
        }
      }),
    );
  });
});

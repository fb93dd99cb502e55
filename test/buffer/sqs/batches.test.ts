import { expect, it } from 'vitest';
import { type BatchFailure, inTens, type ReceiptEntry } from '../../../lambdas/buffer/sqs/batches.ts';

it('calls a batch API for ten messages at a time, and reports what fails without an end to the others', async () => {
  const messages = Array.from({ length: 25 }, (_, i) => ({ receiptHandle: `receipt-${i}` }));
  const calls: ReceiptEntry[][] = [];
  const failures: BatchFailure[] = [];
  await inTens(
    messages,
    async (entries) => {
      calls.push(entries);
      if (calls.length === 1) throw new Error('unreachable');
      return calls.length === 2 ? { Failed: [{ Code: 'ReceiptHandleIsInvalid', Message: 'expired' }] } : {};
    },
    (failure) => failures.push(failure),
  );
  expect(calls.map(({ length }) => length)).toEqual([10, 10, 5]);
  expect(calls.flat().map(({ ReceiptHandle }) => ReceiptHandle)).toEqual(messages.map((one) => one.receiptHandle));
  for (const call of calls) expect(new Set(call.map(({ Id }) => Id)).size).toBe(call.length);
  expect(failures).toEqual([
    { count: 10, reason: 'Error: unreachable' },
    { code: 'ReceiptHandleIsInvalid', reason: 'expired' },
  ]);
});

import { expect, it } from 'vitest';
import type { BatchReport } from '../../lambdas/worker/message.ts';
import { batchEntry } from '../../lambdas/worker/metrics.ts';
import { embeddedMetrics } from '../support/embedded-metrics.ts';

const quiet: BatchReport = {
  received: 5,
  filtered: 2,
  delivered: 3,
  deadLettered: 0,
  expiredDeadLetters: 0,
  retried: 0,
  parked: 0,
  expired: 0,
  dropped: 0,
  failed: [],
  reasons: [],
  stop: undefined,
};
const entry = (level: 'info' | 'warn', over: Partial<BatchReport> = {}) =>
  batchEntry(level, { Stack: 'S', Task: 'T' }, { ...quiet, ...over }, 1);

it('logs one entry with the metrics of each batch', () => {
  expect(entry('info')).toMatchObject({ received: 5, Delivered: 3, Filtered: 2, Stack: 'S', Task: 'T' });
});

it('leaves batches out at level warn, unless something in them is to be noticed', () => {
  expect(entry('warn')).toBeUndefined();
  for (const count of ['deadLettered', 'retried', 'parked', 'expired', 'dropped'] as const)
    expect(entry('warn', { [count]: 1 })).toBeDefined();
  expect(entry('warn', { failed: ['a'] })).toMatchObject({ Failed: 1 });
  expect(entry('warn', { stop: { kind: 'circuitOpen', cause: 'x' } })).toBeDefined();
});

it('writes each count of a batch as a metric of its task', () => {
  const counts = {
    delivered: 1,
    filtered: 2,
    retried: 3,
    parked: 4,
    expired: 5,
    expiredDeadLetters: 6,
    dropped: 7,
    deadLettered: 8,
    failed: ['a', 'b'],
  };
  expect(embeddedMetrics(JSON.stringify(entry('info', counts)))).toEqual({
    namespace: 'Outflow',
    dimensions: { Stack: 'S', Task: 'T' },
    values: {
      Delivered: 1,
      Filtered: 2,
      Retried: 3,
      Parked: 4,
      Expired: 11,
      Dropped: 7,
      DeadLettered: 8,
      Failed: 2,
    },
  });
  expect(embeddedMetrics(JSON.stringify(entry('info', { delivered: 0, filtered: 0 })))).toBeUndefined();
});

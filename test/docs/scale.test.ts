import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const text = readFileSync(new URL('../../docs/scale.md', import.meta.url), 'utf8');

/** Seconds of a month of 730 hours. */
const MONTH = 730 * 3_600;
const MILLION = 1e6;

// Prices in dollars, US East (N. Virginia), and the durations that the page assumes.
const RULE = 0.3 / MILLION;
const SQS_CALL = 0.4 / MILLION;
const INVOCATION = 0.2 / MILLION;
const GB_SECOND = 0.0000133334;
const WORKER_GB = 0.5;
const SHARD_MONTH = 0.015 * 730;
const PUT_UNIT = 0.014 / MILLION;
const SECONDS = { 10: 0.06, 100: 0.15, 1000: 0.8 } as const;
// A payload of 1 KiB is an envelope of about 1.75 KB, and a shard takes 1 MB a second.
const SHARD_RATE = 570;
const LOG_KB = 0.8;
const LOG_GB = 0.5;

type Batch = keyof typeof SECONDS;

function rounded(number: number): string {
  if (number >= 100) return Number(number.toPrecision(2)).toLocaleString('en');
  return String(Math.ceil(number));
}

/** One row: rate, buffer, batch, functions at a time, shards, dollars a month of transport and of logs. */
function row(rate: number, buffer: 'queue' | 'stream', batch: Batch): string {
  const invocations = rate / batch;
  const functions = invocations * SECONDS[batch];
  const lambda = invocations * (INVOCATION + SECONDS[batch] * WORKER_GB * GB_SECOND);
  const shards = buffer === 'stream' ? Math.ceil(rate / SHARD_RATE) : 0;
  const transport = buffer === 'queue' ? rate * (SQS_CALL + (2 * SQS_CALL) / 10) : rate * PUT_UNIT;
  const dollars = (rate * RULE + lambda + transport) * MONTH + shards * SHARD_MONTH;
  const logs = ((invocations * LOG_KB) / 1e6) * LOG_GB * MONTH;
  const cells = [rate.toLocaleString('en'), buffer, batch.toLocaleString('en'), rounded(functions)];
  return `| ${[...cells, rounded(shards), rounded(dollars), rounded(logs)].join(' | ')} |`;
}

describe('the page about scale', () => {
  it('has the arithmetic of its own prices', () => {
    const batches = Object.keys(SECONDS).map((batch) => Number(batch) as Batch);
    const rows = [1_000, 10_000, 100_000, 1_000_000].flatMap((rate) =>
      (['queue', 'stream'] as const).flatMap((buffer) => batches.map((batch) => row(rate, buffer, batch))),
    );
    const lines = text.split('\n').map((line) => line.replaceAll(/ +/g, ' '));
    expect(rows.filter((one) => !lines.includes(one))).toEqual([]);
  });
});

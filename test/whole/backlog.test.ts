import { describe, expect, it, vi } from 'vitest';
import { RetryLater } from '../../lambdas/core/errors.ts';
import type { Outcome } from '../../lambdas/deliver/sink.ts';
import { MAX_IN_FLIGHT } from '../../localstack/one-process/queue/queue.ts';
import { FakeClock } from '../one-process/queue/fake-clock.ts';
import { newQueue } from '../one-process/queue/queues.ts';
import { backlogMessage, createBacklogTask, drainBacklog } from '../soak/backlog.ts';

describe('a backlog', () => {
  it('drains whole, in memory that does not grow (F27)', async () => {
    const count = 100_000;
    const { copies, memoryAt, leftBytes, left } = await drainBacklog(count);
    // Every second passes the filter, and each of those came once.
    expect(copies.findIndex((n, i) => n !== (i % 2 === 0 ? 1 : 0))).toBe(-1);
    expect(left).toBe(0);
    expect(memoryAt.nineTenths.live / memoryAt.tenth.live).toBeLessThanOrEqual(1.2);
    // As little as an id kept of each would be more.
    expect(leftBytes / count).toBeLessThan(48);
  });

  it('lets healthy messages by while ten times as many as may be in flight wait for their retry (F32)', async () => {
    const maxInFlight = 100;
    const clock = new FakeClock();
    const delivered: string[] = [];
    let isWell = false;
    const task = createBacklogTask({
      clock,
      batchSize: 10,
      queueOptions: { maxInFlight },
      spec: {
        filter: undefined,
        retryPolicy: { steps: [{ times: 1, minSeconds: 60, maxSeconds: 60 }] },
      },
      deliver: async (requests) =>
        requests.map(({ data }): Outcome => {
          const id = /"id":"(\d+)"/.exec(Buffer.from(data).toString())![1]!;
          if (!isWell && Number(id) % 2 === 1) return { status: 'retry', error: new RetryLater('not yet') };
          delivered.push(id);
          return { status: 'delivered' };
        }),
    });
    const ids = Array.from({ length: 20 * maxInFlight }, (_, n) => n);
    const isOdd = (n: number) => n % 2 === 1;
    // Those that fail come first: what they occupied, the others could not have.
    for (const n of [...ids.filter(isOdd), ...ids.filter((n) => !isOdd(n))])
      task.queue.send({ body: backlogMessage(n) });
    task.start();
    await task.settle();
    expect(delivered.map(Number).sort((a, b) => a - b)).toEqual(ids.filter((n) => !isOdd(n)));
    expect(task.retryQueue.counts).toEqual({ visible: 0, inFlight: 0, delayed: 10 * maxInFlight });

    isWell = true;
    await clock.advance(60_000);
    await vi.waitUntil(() => delivered.length === ids.length);
    expect(new Set(delivered).size).toBe(ids.length);
    expect(task.deadLetterQueue.counts).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
    await task.stop();
  });
});

it('a queue has at most 120,000 messages in flight, and notifies listeners when one leaves', () => {
  const queue = newQueue({ clock: new FakeClock() });
  for (let i = 0; i <= MAX_IN_FLIGHT; i++) queue.send({ body: 'x' });
  const received = queue.receive(MAX_IN_FLIGHT + 1);
  expect(received).toHaveLength(MAX_IN_FLIGHT);
  expect(queue.receive(1)).toEqual([]);
  let calls = 0;
  queue.onAvailable(() => calls++);
  queue.delete(received[0]!.receiptHandle);
  expect(calls).toBe(1);
  expect(queue.receive(2)).toHaveLength(1);
});

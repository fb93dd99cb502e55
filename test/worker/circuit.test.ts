import { describe, expect, it } from 'vitest';
import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { StopTask } from '../../lambdas/core/errors.ts';
import { circuit } from '../../lambdas/worker/circuit.ts';
import type { BatchReport, TaskStop } from '../../lambdas/worker/message.ts';
import { envelope, sqsEvent } from '../support/messages.ts';
import { taskWith } from '../support/scripted-task.ts';

const open: TaskStop = { kind: 'circuitOpen', cause: 'no such stream' };
const blocked: TaskStop = { kind: 'blocked', cause: 'REJECTED: no' };

/** What a worker sends to the control function for a series of batches, one second apart. */
async function notified(...batches: (TaskStop | 'delivered')[]) {
  const sent: unknown[] = [];
  let now = 0;
  const api = { send: async ({ MessageBody }: { MessageBody: string }) => sent.push(JSON.parse(MessageBody)) };
  const notify = circuit({ api: api as unknown as SqsApi, queueUrl: 'q', task: 'T', log: () => {}, now: () => now });
  for (const batch of batches) {
    const isDelivered = batch === 'delivered';
    await notify({ delivered: isDelivered ? 1 : 0, stop: isDelivered ? undefined : batch } as BatchReport);
    now += 1_000;
  }
  return sent;
}

describe('the circuit', () => {
  it('opens after two batches of nothing but stop errors in a row, and is reported once in ten seconds', async () => {
    expect(await notified(open)).toEqual([]);
    expect(await notified(open, open)).toMatchObject([
      { kind: 'halt', why: 'stopped', cause: 'no such stream', at: 1_000 },
    ]);
    expect(await notified(open, 'delivered', open)).toEqual([]);
    expect(await notified(...Array.from({ length: 12 }, () => open))).toMatchObject([{ at: 1_000 }, { at: 11_000 }]);
  });

  it('reports a message that blocks the task at once', async () => {
    expect(await notified(blocked)).toMatchObject([{ kind: 'halt', why: 'blocked', cause: 'REJECTED: no' }]);
  });

  it('reports to a probe, and to no other event, why the task still cannot go on', async () => {
    const task = taskWith({ deliver: () => ({ status: 'stop', error: new StopTask('no such stream') }) });
    const event = sqsEvent([JSON.stringify(envelope('x'))]);
    expect(await task.handler(event)).toEqual({ batchItemFailures: [] });
    const probe = { ...event, outflow: 'probe' };
    expect(await task.handler(probe)).toEqual({ batchItemFailures: [], halt: 'no such stream' });
  });
});

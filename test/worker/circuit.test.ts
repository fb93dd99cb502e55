import { describe, expect, it } from 'vitest';
import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { NeverRetry, StopTask } from '../../lambdas/core/errors.ts';
import { circuit } from '../../lambdas/worker/circuit.ts';
import { type BatchReport, MAX_STOPS, type TaskStop } from '../../lambdas/worker/message.ts';
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

  it('reports once in fifteen seconds, however many workers run, and each reason by itself', async () => {
    const ids = new Set<string>();
    const report = async (at: number, stop: TaskStop) => {
      const api = { send: async ({ MessageDeduplicationId: id }: { MessageDeduplicationId: string }) => ids.add(id) };
      const notify = circuit({ api: api as never, queueUrl: 'q', task: 'T', log: () => {}, now: () => at });
      for (let n = 0; n < 2; n++) await notify({ delivered: 0, stop } as BatchReport);
    };
    for (let worker = 0; worker < 50; worker++)
      await report(worker * 200, { ...open, cause: `request ${worker} refused` });
    expect(ids.size).toBe(1);
    await report(9_000, blocked);
    expect(ids.size).toBe(2);
    await report(15_000, open);
    expect(ids.size).toBe(3);
  });

  it('reports a message that blocks the task at once', async () => {
    expect(await notified(blocked)).toMatchObject([{ kind: 'halt', why: 'blocked', cause: 'REJECTED: no' }]);
  });

  it('charges a stop error to the one message of a probe, which follows a connectivity test that passed', async () => {
    const task = taskWith({ deliver: () => ({ status: 'stop', error: new StopTask('no such stream') }) });
    const event = sqsEvent([JSON.stringify(envelope('x'))]);
    expect(await task.handler(event)).toEqual({ batchItemFailures: [] });
    expect(task.requeued).toMatchObject([{ attempt: 0, stops: 1 }]);
    expect(await task.handler({ ...event, outflow: 'probe' } as typeof event)).toEqual({ batchItemFailures: [] });
    // From now on its stop errors are its own failures.
    expect(task.requeued[1]).toMatchObject({ attempt: 1, stops: MAX_STOPS });
    expect(task.reports.map(({ stop }) => stop?.kind)).toEqual(['circuitOpen', undefined]);
  });

  it('reports to a probe, and to no other event, that its message blocks the task', async () => {
    const error = new NeverRetry('REJECTED', 'no');
    const task = taskWith({
      faultTolerance: 'prohibited',
      poison: 'block',
      deliver: () => ({ status: 'never', error }),
    });
    const event = sqsEvent([JSON.stringify(envelope('x'))]);
    expect(await task.handler(event)).toEqual({ batchItemFailures: [] });
    expect(await task.handler({ ...event, outflow: 'probe' } as typeof event)).toEqual({
      batchItemFailures: [],
      halt: 'REJECTED: no',
    });
  });

  it('reports whether all stop errors since the last delivery come from one device', async () => {
    const task = taskWith({
      deliver: (text) =>
        `${text}` === 'good' ? { status: 'delivered' } : { status: 'stop', error: new StopTask('gone') },
    });
    const isOneDevice = async (...devices: string[]) => {
      const bodies = devices.map((device) => JSON.stringify(envelope(device, { principal: device })));
      await task.handler(sqsEvent(bodies));
      return task.reports.at(-1)!.stop?.isOneDevice;
    };
    expect(await isOneDevice('d1')).toBe(true);
    expect(await isOneDevice('d1', 'd1')).toBe(true);
    expect(await isOneDevice('d2')).toBe(false);
    expect(await isOneDevice('d1')).toBe(false);
    expect(await isOneDevice('good')).toBeUndefined();
    expect(await isOneDevice('d1')).toBe(true);
    expect(await isOneDevice('d1', 'd2')).toBe(false);
  });

  it.each([true, undefined])('sends on whether it is one device: %s', async (isOneDevice) => {
    const one: TaskStop = { ...open, ...(isOneDevice && { isOneDevice }) };
    expect(await notified(one, one)).toEqual([
      isOneDevice ? expect.objectContaining({ isOneDevice }) : expect.not.objectContaining({ isOneDevice: true }),
    ]);
  });
});

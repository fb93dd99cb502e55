import { describe, expect, it } from 'vitest';
import { reconcile, type TaskPorts } from '../../lambdas/control/reconcile.ts';
import { NeverRetry, RetryLater } from '../../lambdas/core/errors.ts';
import { INITIAL_STATE, readState } from '../../lambdas/core/task-state.ts';
import type { Outcome } from '../../lambdas/deliver/sink.ts';
import { skippedMessages } from '../../lambdas/worker/skipped-messages.ts';
import { envelope, kinesisEvent, sqsEvent } from '../support/messages.ts';
import { taskWith } from '../support/scripted-task.ts';

const POISON: Outcome = { status: 'never', error: new NeverRetry('REJECTED', 'no') };
const FAILURE: Outcome = { status: 'retry', error: new RetryLater('busy') };

/** A task that a message may block, with the state that its control function writes and its worker reads. */
function blockableTask(outcome: Outcome, options: object = {}) {
  const world = { text: JSON.stringify(INITIAL_STATE), now: 1_795_251_601_000 };
  const log = () => {};
  const task = taskWith({
    faultTolerance: 'prohibited',
    poison: 'block',
    retryPolicy: { steps: [] },
    deliver: (payload) => (payload.toString() === 'bad' ? outcome : { status: 'delivered' }),
    skipped: skippedMessages(async () => world.text, { now: () => world.now, log }),
    now: () => world.now,
    ...options,
  });
  const ports: TaskPorts = {
    readState: async () => readState(world.text),
    async writeState(state) {
      world.text = JSON.stringify(state);
    },
    mappingStates: async () => ['Enabled'],
    async setMappings() {},
    async setIntake() {},
    testConnectivity: async () => ({ ok: true, detail: 'fine' }),
    tryOne: async () => undefined,
  };
  const send = (message: Parameters<typeof reconcile>[0]) => reconcile(message, ports, () => world.now);
  return {
    ...task,
    send,
    /** Reports the blocking message as the worker did, and has the operator skip it. */
    async skip() {
      const { cause, message } = task.stops.at(-1)!;
      const reported = await send({ kind: 'halt', task: 't', why: 'blocked', cause, message, at: world.now });
      expect(reported).toMatchObject({ status: 'Ready', halt: { message } });
      world.now += 60_000;
      return send({ kind: 'skip', task: 't', message: message! });
    },
  };
}

describe('a skipped message', () => {
  const bad = JSON.stringify(envelope('bad', { id: 'b' }));
  const good = JSON.stringify(envelope('good', { id: 'g' }));

  it.each([
    ['that can never be delivered', POISON, 'REJECTED'],
    ['that is out of retries', FAILURE, 'RETRIES_EXHAUSTED'],
  ])('%s goes to the dead-letter queue, and its task runs again', async (_, outcome, code) => {
    const task = blockableTask(outcome);
    await task.handler(sqsEvent([good, bad]));
    expect(task.dlqMessages).toEqual([]);
    expect(await task.skip()).toMatchObject({ desired: 'Running', status: 'Running', halt: undefined });
    await task.handler(sqsEvent([bad]));
    expect(task.dlqMessages).toMatchObject([{ messageId: 'b', error: { code } }]);
    expect(task.reports.at(-1)!.stop).toBeUndefined();
  });

  it('lets the records behind it in a stream go on', async () => {
    const task = blockableTask(POISON, { buffer: { type: 'stream', order: 'strict' } });
    const event = kinesisEvent([bad, good]);
    expect(await task.handler(event)).toMatchObject({ batchItemFailures: [{ itemIdentifier: '0' }] });
    await task.skip();
    expect(await task.handler(event)).toEqual({ batchItemFailures: [] });
    expect(task.dlqMessages).toHaveLength(1);
    expect(task.delivered.map(String)).toContain('good');
  });

  it('that has no id is recognised by its body, whatever id its queue gives it', async () => {
    const task = blockableTask(POISON);
    await task.handler(sqsEvent(['not an envelope']));
    await task.skip();
    const again = sqsEvent(['not an envelope']);
    again.Records[0]!.messageId = 'another';
    await task.handler(again);
    expect(task.dlqMessages).toMatchObject([{ error: { code: 'UNSUPPORTED_ENVELOPE' } }]);
  });

  it('is none but the one that blocks the task now', async () => {
    const task = blockableTask(POISON);
    await task.handler(sqsEvent([bad]));
    expect(await task.send({ kind: 'skip', task: 't', message: 'b' })).toMatchObject({ skipped: [] });
    const { cause, message } = task.stops[0]!;
    await task.send({ kind: 'halt', task: 't', why: 'blocked', cause, message, at: 1_795_251_601_000 });
    expect(await task.send({ kind: 'skip', task: 't', message: 'g' })).toMatchObject({ status: 'Ready', skipped: [] });
  });
});

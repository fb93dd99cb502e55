import type { KinesisStreamEvent, SQSEvent } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeRetryAttributes } from '../../lambdas/buffer/sqs/retry-attributes.ts';
import { reconcile, type TaskPorts } from '../../lambdas/control/reconcile.ts';
import type { ControlMessage } from '../../lambdas/core/control-message.ts';
import { StopTask } from '../../lambdas/core/errors.ts';
import { INITIAL_STATE, type TaskState } from '../../lambdas/core/task-state.ts';
import { circuit } from '../../lambdas/worker/circuit.ts';
import { MAX_STOPS } from '../../lambdas/worker/message.ts';
import { envelope, kinesisEvent, sqsEvent } from '../support/messages.ts';
import { runs } from '../support/property-runs.ts';
import { taskWith } from '../support/scripted-task.ts';

const START = 1_795_251_600_000;
const RETRIES = 3;

/** A task whose sink answers a connectivity test, and refuses each message of one device as if it could not be used at all. */
function attackedTask(options: object = {}) {
  const clock = { now: START };
  const tries = new Map<string, number>();
  const task = taskWith({
    ...options,
    now: () => clock.now,
    deliver(payload) {
      const text = payload.toString();
      tries.set(text, (tries.get(text) ?? 0) + 1);
      if (text.startsWith('good')) return { status: 'delivered' };
      return { status: 'stop', error: new StopTask('the topic does not take this type of message') };
    },
  });
  let state: TaskState = INITIAL_STATE;
  const reports: ControlMessage[] = [];
  const ports: TaskPorts = {
    readState: async () => state,
    async writeState(next) {
      state = next;
    },
    mappingStates: async () => ['Enabled'],
    async setMappings() {},
    async setIntake() {},
    testConnectivity: async () => ({ ok: true, detail: 'fine' }),
    tryOne: async () => undefined,
  };
  const send = async ({ MessageBody }: { MessageBody?: string | undefined }) => {
    reports.push(JSON.parse(MessageBody!));
    state = await reconcile(reports.at(-1)!, ports, () => clock.now);
  };
  const api = { send } as never;
  const notify = circuit({ api, queueUrl: 'q', task: 'T', log: () => {}, now: () => clock.now });
  return {
    ...task,
    clock,
    tries,
    reports,
    async invoke(event: SQSEvent | KinesisStreamEvent) {
      const response = await task.handler(event);
      await notify(task.reports.at(-1)!);
      return response;
    },
    get halt() {
      return state.halt;
    },
  };
}

const bodyOf = (device: string, n: number, timestamp: number) =>
  JSON.stringify(envelope(`${device}-${n}`, { clientid: device, principal: device, timestamp }));
/** Batches of messages: true is one of a good device. */
const batches = fc.array(fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 12 });

describe('one device whose every message meets a stop error', () => {
  it('neither stops a task with a queue nor makes work without end', async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (all) => {
        const task = attackedTask();
        let sent = 0;
        for (const batch of all) {
          task.clock.now += 1_000;
          await task.invoke(sqsEvent(batch.map((good) => bodyOf(good ? 'good' : 'bad', sent++, task.clock.now))));
          expect(task.halt).toBeUndefined();
        }
        for (let rounds = 0; task.requeued.length > 0; rounds++) {
          expect(rounds).toBeLessThanOrEqual(MAX_STOPS + RETRIES);
          task.clock.now += 60_000;
          const waiting = task.requeued.splice(0);
          const event = sqsEvent(waiting.map(({ body }) => body));
          for (const [i, message] of waiting.entries())
            event.Records[i]!.messageAttributes = Object.fromEntries(
              Object.entries(writeRetryAttributes(message)).map(([name, { DataType, StringValue }]) => [
                name,
                { dataType: DataType as 'String', stringValue: StringValue! },
              ]),
            );
          await task.invoke(event);
          expect(task.halt).toBeUndefined();
        }
        const bad = all.flat().filter((good) => !good).length;
        expect(task.delivered).toHaveLength(sent - bad);
        expect(task.dlqMessages.map(({ error }) => error.code)).toEqual(Array(bad).fill('RETRIES_EXHAUSTED'));
        expect(Math.max(...task.tries.values())).toBeLessThanOrEqual(MAX_STOPS + RETRIES + 1);
      }),
      { numRuns: runs(50) },
    );
  });

  it.each(['relaxed', 'strict'])(
    'neither stops nor holds up a task with a stream for long, with %s order',
    async (order) => {
      await fc.assert(
        fc.asyncProperty(batches, async (all) => {
          const task = attackedTask({ buffer: { type: 'stream', order } });
          const bodies = all.flat().map((good, n) => bodyOf(good ? 'good' : 'bad', n, START));
          let size = bodies.length;
          for (let at = 0; at < bodies.length; ) {
            const event = kinesisEvent(bodies.slice(at, at + size), at);
            const { batchItemFailures } = await task.invoke(event);
            expect(task.halt).toBeUndefined();
            task.clock.now += 5_000;
            const failed = batchItemFailures[0]?.itemIdentifier;
            // AWS Lambda bisects a batch that fails.
            size = failed === undefined ? bodies.length : Math.max(1, size >> 1);
            at = failed === undefined ? at + event.Records.length : Number(failed);
          }
          const bad = all.flat().filter((good) => !good).length;
          expect(new Set(task.delivered.map(String)).size).toBe(bodies.length - bad);
          expect(task.dlqMessages).toHaveLength(bad);
          // Two minutes of stop errors, one of retries, for each message that is alone at the head of the shard.
          expect(task.clock.now - START).toBeLessThanOrEqual((bad + 1) * 240_000);
        }),
        { numRuns: runs(8) },
      );
    },
  );

  it('is not a sink that no message can use: two devices open the circuit', async () => {
    const task = attackedTask();
    for (const device of ['bad', 'worse']) await task.invoke(sqsEvent([bodyOf(device, 0, START)]));
    expect(task.reports).toMatchObject([{ kind: 'halt', why: 'stopped' }]);
    expect(task.halt).toMatchObject({ why: 'stopped' });
  });

  it('costs no message of several devices an attempt, however long no message can use the sink', async () => {
    const task = attackedTask();
    let waiting = [1, 2, 3].map((n) => bodyOf(`bad${n}`, n, START));
    const stops = new Set<number | undefined>();
    for (let round = 0; round < 3 * MAX_STOPS; round++) {
      await task.invoke(sqsEvent(waiting));
      const again = task.requeued.splice(0);
      for (const { stops: counted } of again) stops.add(counted);
      expect(again.map(({ attempt }) => attempt)).toEqual([0, 0, 0]);
      waiting = again.map(({ body }) => body);
    }
    expect([...stops]).toEqual([0]);
    expect(task.dlqMessages).toEqual([]);
  });
});

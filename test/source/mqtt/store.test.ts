import type { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import type { SendMessageBatchCommandInput } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SqsApi } from '../../../lambdas/buffer/sqs/api.ts';
import { openIntake } from '../../../lambdas/source/mqtt/intake.ts';
import { type Put, storeIn, toQueue } from '../../../lambdas/source/mqtt/store.ts';
import { toStream } from '../../../lambdas/source/mqtt/stream-store.ts';
import { runs } from '../../support/property-runs.ts';
import { decoded, envelope, textOf } from './envelopes.ts';
import { SimulatedClock } from './simulated-clock.ts';

const MIB = 1024 * 1024;
const FUNCTION_ARN = 'arn:aws:lambda:eu-west-1:111122223333:function:Sessions';
type Sent = { MessageBody?: string; MessageAttributes?: Record<string, { StringValue?: string }> };

/** Queues by URL, of which `refuses` decides about each message. */
function sqs(refuses: (body: string) => boolean = () => false) {
  const queues: Record<string, Sent[]> = { buffer: [], dead: [] };
  const logged: object[] = [];
  const api = {
    async sendBatch({ QueueUrl, Entries = [] }: SendMessageBatchCommandInput) {
      const bytes = Entries.reduce((sum, { MessageBody = '' }) => sum + Buffer.byteLength(MessageBody), 0);
      expect([Entries.length <= 10, bytes <= MIB]).toEqual([true, true]);
      const Successful = Entries.filter(({ MessageBody = '' }) => !refuses(MessageBody));
      const Failed = Entries.filter(({ MessageBody = '' }) => refuses(MessageBody));
      queues[QueueUrl!]!.push(...(Successful as Sent[]));
      return { Successful, Failed: Failed.map(({ Id }) => ({ Id, Code: 'InternalError', SenderFault: false })) };
    },
  } as unknown as SqsApi;
  const log = (entry: object) => void logged.push(entry);
  const store = (put: Put = toQueue(api, 'buffer', log)) =>
    storeIn(put, { api, queueUrl: 'dead', task: 'Inbound', functionArn: FUNCTION_ARN, targetArn: 'buffer', log });
  return { queues, logged, store };
}

/** Payloads in the order in which the stream has stored them. */
function kinesis(fails: (text: string, call: number) => boolean) {
  const stored: string[] = [];
  let calls = 0;
  const client = {
    async send({ input }: PutRecordsCommand) {
      const call = calls++;
      const Records = input.Records!.map(({ Data, PartitionKey }) => {
        const read = decoded(Buffer.from(Data!).toString());
        expect(PartitionKey!.length).toBeLessThanOrEqual(256);
        if (fails(textOf(read), call)) return { ErrorCode: 'ProvisionedThroughputExceededException' };
        stored.push(textOf(read));
        return { SequenceNumber: '1', ShardId: '0' };
      });
      return { Records, FailedRecordCount: Records.filter(({ ErrorCode }) => ErrorCode !== undefined).length };
    },
  };
  return { stored, put: toStream('stream', () => {}, client as never), calls: () => calls };
}

describe('the store of an MQTT source', () => {
  it('sends envelopes to the queue, and reports each that the queue refuses', async () => {
    const { queues, logged, store } = sqs((body) => body.includes('"bad/'));
    const envelopes = Array.from({ length: 25 }, (_, i) => envelope(i % 7 === 3 ? `bad/${i}` : `good/${i}`, `${i}`));
    const stored = await store()(envelopes);
    expect(stored).toEqual(envelopes.map(({ topic }) => topic.startsWith('good')));
    const sent = queues['buffer']!.map(({ MessageBody }) => decoded(MessageBody!));
    expect(new Set(sent.map(textOf))).toEqual(
      new Set(envelopes.filter(({ topic }) => topic.startsWith('good')).map(textOf)),
    );
    expect(logged).toContainEqual(expect.objectContaining({ code: 'InternalError' }));
  });

  it('moves a message that no buffer takes to the dead-letter queue, and stores the others', async () => {
    const { queues, store } = sqs();
    const large = { ...envelope('large', Buffer.alloc(800_000)), userProperties: [{ KEYS: 'k' }] };
    expect(await store()([envelope('a', '1'), large, envelope('b', '2')])).toEqual([true, true, true]);
    expect(queues['buffer']!.length).toBe(2);
    const [{ MessageBody, MessageAttributes }] = queues['dead'] as [Required<Sent>];
    const attributes = Object.fromEntries(
      Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, StringValue]),
    );
    expect(attributes).toMatchObject({
      ERROR_CODE: 'MESSAGE_TOO_LARGE',
      STAGE: 'decode',
      TASK: 'Inbound',
      RULE_ARN: FUNCTION_ARN,
      TARGET_ARN: 'buffer',
      MESSAGE_ID: large.id,
      RETRY_ATTEMPTS: '0',
    });
    expect(attributes['ERROR_MESSAGE']).toContain('800000 bytes');
    expect(decoded(MessageBody)).toMatchObject({ topic: 'large', payload: '', userProperties: [{ KEYS: 'k' }] });
  });

  it('leaves out properties that no queue takes, so that the messages behind are acknowledged', async () => {
    const { queues, store } = sqs((body) => body.length > MIB);
    const userProperties = Array.from({ length: 30 }, () => ({ pad: 'x'.repeat(60_000) }));
    const large = { ...envelope('large', '1'), userProperties, correlationData: 'AA==' };
    expect(await store()([large, envelope('b', '2')])).toEqual([true, true]);
    const [{ MessageBody }] = queues['dead'] as [Required<Sent>];
    expect(decoded(MessageBody)).toEqual({ ...envelope('large'), id: large.id });
  });

  it('leaves a message that neither the buffer nor the dead-letter queue takes to the next attempt', async () => {
    const { store } = sqs(() => true);
    const large = envelope('large', Buffer.alloc(800_000));
    expect(await store()([large, envelope('a')])).toEqual([false, false]);
  });

  it('takes a message of any size up to the limit in one record of a stream', async () => {
    const { stored, put } = kinesis(() => false);
    const { queues, store } = sqs();
    const sizes = [0, 780_000, 785_000, 790_000];
    expect(await store(put)(sizes.map((size) => envelope('ü'.repeat(300), Buffer.alloc(size, 'x'))))).toEqual(
      sizes.map(() => true),
    );
    expect(stored.length + queues['dead']!.length).toBe(sizes.length);
    expect(stored.length).toBeGreaterThanOrEqual(2);
  });

  it('keeps the order of each topic in a stream, whatever records fail', async () => {
    const message = fc.record({ topic: fc.constantFrom('a', 'b', 'c'), failures: fc.integer({ min: 0, max: 3 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 30 }), async (messages) => {
        const left = new Map(messages.map(({ failures }, i) => [`${i}`, failures]));
        const { stored, put } = kinesis((text) => {
          const failures = left.get(text)!;
          left.set(text, failures - 1);
          return failures > 0;
        });
        const clock = new SimulatedClock();
        const acknowledged: number[] = [];
        const intake = openIntake({
          store: sqs().store(put),
          maxCalls: 1,
          maxMessages: 500,
          window: 1_000,
          onFull: () => {},
          clock,
        });
        for (const [i, { topic }] of messages.entries())
          intake.receive(envelope(topic, `${i}`), () => acknowledged.push(i));
        for (let turn = 0; turn < 100 && intake.waiting > 0; turn++) await clock.advance(5_000);
        expect(acknowledged).toEqual(messages.map((_, i) => i));
        for (const topic of ['a', 'b', 'c']) {
          const numbers = stored.map(Number).filter((i) => messages[i]!.topic === topic);
          expect(numbers).toEqual(numbers.toSorted((x, y) => x - y));
        }
      }),
      { numRuns: runs(200) },
    );
  });

  it('writes records of different topics in one call', async () => {
    const { put, calls } = kinesis(() => false);
    await sqs().store(put)(Array.from({ length: 400 }, (_, i) => envelope(`t/${i % 200}`, `${i}`)));
    expect(calls()).toBe(2);
  });

  it('reports every record of a call that fails', async () => {
    const client = {
      async send() {
        throw new Error('socket hang up');
      },
    };
    const { store } = sqs();
    const put = toStream('stream', () => {}, client as never);
    expect(await store(put)([envelope('a'), envelope('b'), envelope('a')])).toEqual([false, false, false]);
  });
});

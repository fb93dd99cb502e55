import type { SQSEvent } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { writeChildren } from '../../lambdas/buffer/sqs/retry-attributes.ts';
import { NeverRetry, RetryLater } from '../../lambdas/core/errors.ts';
import type { Outcome } from '../../lambdas/deliver/sink.ts';
import type { Requeued } from '../../lambdas/worker/message.ts';
import { attributes, envelope, kinesisEvent, sqsEvent } from '../support/messages.ts';
import { taskWith } from '../support/scripted-task.ts';

const delivered: Outcome = { status: 'delivered' };
const later: Outcome = { status: 'retry', error: new RetryLater('later') };
const never: Outcome = { status: 'never', error: new NeverRetry('REJECTED', 'no') };

/** Routes that all match every record, each with its payload. */
const toAll = (...payloads: string[]) => ({
  match: 'all',
  routes: payloads.map((payload) => ({ sink: { payload } })),
});
const texts = (buffers: readonly Buffer[]) => buffers.map((buffer) => buffer.toString());

/** The event of a message that the retry queue held. */
function redelivered({ body, attempt, firstSeen, children }: Requeued): SQSEvent {
  const event = sqsEvent([body]);
  event.Records[0]!.messageAttributes = attributes({
    ATTEMPT: attempt,
    FIRST_SEEN: firstSeen,
    ...(children && { CHILDREN: writeChildren(children) }),
  });
  return event;
}

describe('a message of several children', () => {
  it('is requeued with the children that are owed, and with all of them after the steps changed (F34)', async () => {
    const first = taskWith({ route: toAll('A', 'B'), deliver: (made) => (`${made}` === 'B' ? later : delivered) });
    await first.handler(sqsEvent([JSON.stringify(envelope())]));
    expect(texts(first.delivered)).toEqual(['A']);
    const waiting = redelivered(first.requeued[0]!);

    const same = taskWith({ route: toAll('A', 'B'), deliver: () => delivered });
    await same.handler(waiting);
    expect(texts(same.delivered)).toEqual(['B']);

    const edited = taskWith({ route: toAll('B', 'A'), deliver: () => delivered });
    await edited.handler(waiting);
    expect(texts(edited.delivered)).toEqual(['B', 'A']);
  });

  it('is requeued with the longest delay of its children', async () => {
    const random = [0.99, 0];
    const task = taskWith({ route: toAll('A', 'B'), deliver: () => later, random: () => random.shift()! });
    await task.handler(sqsEvent([JSON.stringify(envelope())]));
    expect(task.requeued).toMatchObject([{ delaySeconds: 20, children: undefined }]);
  });

  it('in a stream, too: a child that is delivered or dead-lettered is not processed again', async () => {
    const outcomes: Record<string, Outcome> = { A: delivered, B: never, C: later };
    let tries = 0;
    const task = taskWith({
      buffer: { type: 'stream' },
      route: toAll('A', 'B', 'C'),
      deliver(made) {
        if (`${made}` === 'C' && ++tries === 20) return delivered;
        return outcomes[`${made}`]!;
      },
    });
    const event = kinesisEvent([JSON.stringify(envelope())]);
    let owed = 1;
    for (let n = 0; n < 20; n++) ({ length: owed } = (await task.handler(event)).batchItemFailures);
    expect(owed).toBe(0);
    expect(texts(task.delivered)).toEqual(['A', 'C']);
    expect(task.dlqMessages).toHaveLength(1);
  });

  it('has dead letters with the ids of its records (B20)', async () => {
    const body = JSON.stringify(
      envelope(JSON.stringify({ clientId: 'c', topics: ['a', 'b', 'c'] }), {
        kind: 'mqtt.session.subscribed',
        topic: '$aws/events/subscriptions/subscribed/c',
        clientid: 'n/a',
      }),
    );
    const task = taskWith({
      source: { type: 'client-events', filters: ['$aws/events/#'] },
      filter: { data: { topic: [{ 'anything-but': ['a'] }] } },
      payload: '${id} ${topic}',
      deliver: (made) => (`${made}`.endsWith('c') ? never : delivered),
    });
    await task.handler(sqsEvent([body]));
    const [id] = /\w+(?=#1 b)/.exec(`${task.delivered[0]}`)!;
    expect(task.dlqMessages.map(({ messageId }) => messageId)).toEqual([`${id}#2`]);

    const both = taskWith({ route: toAll('A', 'B'), deliver: () => never });
    await both.handler(sqsEvent([JSON.stringify(envelope())]));
    expect(both.dlqMessages.map(({ messageId }) => messageId)).toEqual([`${envelope().id}#0`, `${envelope().id}#1`]);
  });
});

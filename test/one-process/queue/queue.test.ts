import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../support/property-runs.ts';
import { FakeClock } from './fake-clock.ts';
import { newQueue, sendBodies } from './queues.ts';

const BODY_LIMIT = 1_048_576;

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
  return 'none';
}

describe('a queue refuses', () => {
  const attributes = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, { dataType: 'String', stringValue: 'v' }]));
  const one = (dataType: string, stringValue: string, name = 'a') => ({ [name]: { dataType, stringValue } });

  it.each([
    ['no body', { body: '' }, 'MissingParameter'],
    ['a body over 1 MiB', { body: 'é'.repeat(BODY_LIMIT / 2 + 1) }, 'InvalidParameterValue'],
    [
      'body and attributes over 1 MiB',
      { body: 'x'.repeat(BODY_LIMIT - 8), attributes: one('String', 'vv') },
      'InvalidParameterValue',
    ],
    ['eleven attributes', { body: 'x', attributes: attributes(11) }, 'InvalidParameterValue'],
    ['a binary attribute', { body: 'x', attributes: one('Binary', 'v') }, 'InvalidParameterValue'],
    ['an unknown type', { body: 'x', attributes: one('Text', 'v') }, 'InvalidParameterValue'],
    [
      'an attribute of type Number that is not a number',
      { body: 'x', attributes: one('Number', 'one') },
      'InvalidParameterValue',
    ],
    ['an empty value', { body: 'x', attributes: one('String', '') }, 'InvalidParameterValue'],
    ['a reserved name', { body: 'x', attributes: one('String', 'v', 'AWS.a') }, 'InvalidParameterValue'],
    ['a name that ends in a period', { body: 'x', attributes: one('String', 'v', 'a.') }, 'InvalidParameterValue'],
    ['a delay over 15 minutes', { body: 'x', delaySeconds: 901 }, 'InvalidParameterValue'],
    ['a control character', { body: 'x\u0000' }, 'InvalidMessageContents'],
    ['half a surrogate pair', { body: '\uD83D' }, 'InvalidMessageContents'],
    ['a noncharacter in an attribute', { body: 'x', attributes: one('String', '\uFFFF') }, 'InvalidMessageContents'],
  ])('%s', (_, message, code) => {
    const queue = newQueue();
    expect(refusal(() => queue.send(message))).toBe(code);
    expect(queue.counts).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  });

  it('accepts messages at its limits', () => {
    const queue = newQueue();
    const sizeOfAttribute = 'a'.length + 'String'.length + 'v'.length;
    queue.send({ body: 'x'.repeat(BODY_LIMIT - sizeOfAttribute), attributes: one('String', 'v') });
    queue.send({ body: '\t\n\r\u{1F980}\uFFFD', attributes: attributes(10), delaySeconds: 900 });
    expect(queue.counts).toEqual({ visible: 1, inFlight: 0, delayed: 1 });
  });

  it('a handle of another queue, and a visibility timeout for a message that is not in flight', async () => {
    const clock = new FakeClock();
    const queue = newQueue({ clock });
    sendBodies(queue, ['x']);
    const [message] = queue.receive(1);
    expect(refusal(() => newQueue().delete(message!.receiptHandle))).toBe('ReceiptHandleIsInvalid');
    expect(refusal(() => queue.changeVisibility(message!.receiptHandle, 43_201))).toBe('InvalidParameterValue');
    await clock.advance(10_000);
    expect(refusal(() => queue.changeVisibility(message!.receiptHandle, 43_195))).toBe('InvalidParameterValue');
    await clock.advance(20_000);
    expect(refusal(() => queue.changeVisibility(message!.receiptHandle, 1))).toBe('MessageNotInflight');
  });
});

it('deletes by the latest handle only', async () => {
  const clock = new FakeClock();
  const queue = newQueue({ clock });
  sendBodies(queue, ['x']);
  const [first] = queue.receive(1);
  await clock.advance(30_000);
  const [second] = queue.receive(1);
  expect(second).toMatchObject({
    messageId: first!.messageId,
    receiveCount: 2,
    firstReceivedAt: first!.firstReceivedAt,
  });

  queue.delete(first!.receiptHandle);
  expect(queue.counts.inFlight).toBe(1);
  await clock.advance(30_000);
  queue.delete(second!.receiptHandle);
  queue.delete(second!.receiptHandle);
  expect(queue.counts).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
});

it('receives a message once per call even with a visibility timeout of 0', () => {
  const queue = newQueue({ visibilityTimeoutSeconds: 0 });
  sendBodies(queue, ['x']);
  expect(queue.receive(10)).toHaveLength(1);
  expect(queue.receive(10)).toHaveLength(1);
});

it('moves a message that reached maxReceiveCount to the dead-letter queue, with its id, age and source', async () => {
  const clock = new FakeClock();
  const deadLetterQueue = newQueue({ name: 'dead', clock, retentionSeconds: 14 * 86_400 });
  const queue = newQueue({ clock, redrive: { deadLetterQueue, maxReceiveCount: 2 } });
  const sentAt = clock.now();
  const [messageId] = sendBodies(queue, ['x']);
  for (let i = 0; i < 2; i++) {
    expect(queue.receive(1)).toHaveLength(1);
    await clock.advance(30_000);
  }
  expect(deadLetterQueue.peek()).toEqual([]);
  expect(queue.receive(1)).toEqual([]);
  expect(queue.oldestAgeSeconds()).toBe(0);
  expect(deadLetterQueue.oldestAgeSeconds()).toBe(60);
  const expected = { messageId, body: 'x', sentAt, receiveCount: 2, state: 'visible', deadLetterSourceArn: queue.arn };
  expect(deadLetterQueue.peek()).toEqual([expect.objectContaining(expected)]);
  expect(deadLetterQueue.receive(1)).toEqual([expect.objectContaining({ messageId, receiveCount: 3 })]);
});

it('keeps a message for its retention, counted from the send even in a dead-letter queue', async () => {
  const clock = new FakeClock();
  const deadLetterQueue = newQueue({ name: 'dead', clock, retentionSeconds: 120 });
  const queue = newQueue({ clock, retentionSeconds: 60, redrive: { deadLetterQueue, maxReceiveCount: 1 } });
  sendBodies(queue, ['dies', 'stays']);
  const [dies] = queue.receive(1);
  await clock.advance(10_000);
  queue.changeVisibility(dies!.receiptHandle, 0);
  const [stays] = queue.receive(1);
  expect([stays?.body, queue.receive(1), deadLetterQueue.counts.visible]).toEqual(['stays', [], 1]);
  await clock.advance(49_999);
  expect(queue.oldestAgeSeconds()).toBe(59);
  await clock.advance(1);
  expect(queue.peek()).toEqual([]);
  queue.delete(stays!.receiptHandle);
  await clock.advance(59_999);
  expect(deadLetterQueue.counts.visible).toBe(1);
  await clock.advance(1);
  expect(deadLetterQueue.counts.visible).toBe(0);
});

it('notifies listeners when a message is sent, returned or no longer delayed, and has no timer without listeners', async () => {
  const clock = new FakeClock();
  const queue = newQueue({ clock, visibilityTimeoutSeconds: 30 });
  const seen: number[] = [];
  const start = clock.now();
  const unsubscribe = queue.onAvailable(() => seen.push((clock.now() - start) / 1000));
  queue.send({ body: 'late', delaySeconds: 20 });
  queue.send({ body: 'soon', delaySeconds: 10 });
  queue.send({ body: 'now' });
  queue.receive(1);
  await clock.advance(5_000);
  queue.send({ body: 'later' });
  const [message] = queue.receive(1);
  queue.changeVisibility(message!.receiptHandle, 0);
  await clock.advance(60_000);
  expect(seen).toEqual([0, 5, 5, 10, 20, 30]);

  queue.receive(4);
  expect(clock.timers).toBe(1);
  unsubscribe();
  expect(clock.timers).toBe(0);
});

/** A message in the model, which looks at all messages for every answer. */
interface Modelled {
  id: string;
  sentAt: number;
  visibleAt: number;
  receives: number;
  received: boolean;
  handles: string[];
}

const VISIBILITY_MS = 30_000;
const RETENTION_MS = 60_000;
const DEAD_RETENTION_MS = 120_000;
const MAX_RECEIVES = 3;

const step = fc.oneof(
  fc.record({ do: fc.constant('send' as const), delay: fc.constantFrom(0, 0, 5, 45) }),
  fc.record({ do: fc.constant('receive' as const), max: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('delete' as const), pick: fc.nat() }),
  fc.record({ do: fc.constant('hide' as const), pick: fc.nat(), seconds: fc.constantFrom(0, 10, 40) }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 999, 4_000, 15_000, 30_000) }),
);

it('loses no message: after any operations each is in the state that a naive model gives', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    const clock = new FakeClock();
    const deadLetterQueue = newQueue({ name: 'dead', clock, retentionSeconds: DEAD_RETENTION_MS / 1000 });
    const queue = newQueue({
      clock,
      retentionSeconds: RETENTION_MS / 1000,
      visibilityTimeoutSeconds: VISIBILITY_MS / 1000,
      redrive: { deadLetterQueue, maxReceiveCount: MAX_RECEIVES },
    });
    let held: Modelled[] = [];
    let dead: Modelled[] = [];
    const handles: string[] = [];
    const isVisible = (m: Modelled) => m.visibleAt <= clock.now();
    const latestOf = (handle: string) => held.find((m) => m.handles.at(-1) === handle);

    for (const s of steps) {
      if (s.do === 'send') {
        const { messageId } = queue.send({ body: 'x', delaySeconds: s.delay });
        const visibleAt = clock.now() + s.delay * 1000;
        held.push({ id: messageId, sentAt: clock.now(), visibleAt, receives: 0, received: false, handles: [] });
      } else if (s.do === 'receive') {
        const visible = held.filter(isVisible);
        const received = queue.receive(s.max);
        for (const { messageId, receiptHandle, receiveCount } of received) {
          const m = visible.find(({ id }) => id === messageId)!;
          expect(receiveCount).toBe(++m.receives);
          m.visibleAt = clock.now() + VISIBILITY_MS;
          m.received = true;
          m.handles.push(receiptHandle);
          handles.push(receiptHandle);
        }
        // SQS promises no order, so the model takes from the queue which of the exhausted messages moved.
        const moved = new Set(deadLetterQueue.peek().map(({ messageId }) => messageId));
        for (const m of held.filter(({ id }) => moved.has(id)))
          expect([m.receives, isVisible(m)]).toEqual([MAX_RECEIVES, true]);
        dead.push(...held.filter(({ id }) => moved.has(id)));
        held = held.filter(({ id }) => !moved.has(id));
        expect(received.every(({ receiveCount }) => receiveCount <= MAX_RECEIVES)).toBe(true);
        if (received.length < s.max) expect(held.filter(isVisible)).toEqual([]);
      } else if (s.do === 'advance') {
        await clock.advance(s.ms);
        held = held.filter((m) => m.sentAt + RETENTION_MS > clock.now());
        dead = dead.filter((m) => m.sentAt + DEAD_RETENTION_MS > clock.now());
      } else if (handles.length > 0) {
        const handle = handles[s.pick % handles.length]!;
        const m = latestOf(handle);
        if (s.do === 'delete') {
          queue.delete(handle);
          held = held.filter((other) => other !== m);
        } else {
          const code = refusal(() => queue.changeVisibility(handle, s.seconds));
          expect(code).toBe(m && !isVisible(m) ? 'none' : 'MessageNotInflight');
          if (m && code === 'none') m.visibleAt = clock.now() + s.seconds * 1000;
        }
      }

      const stateOf = (m: Modelled) => (isVisible(m) ? 'visible' : m.received ? 'inFlight' : 'delayed');
      const count = (state: string) => held.filter((m) => stateOf(m) === state).length;
      expect(queue.counts).toEqual({
        visible: count('visible'),
        inFlight: count('inFlight'),
        delayed: count('delayed'),
      });
      const found = queue.peek().map((m) => `${m.messageId} ${m.state}`);
      expect(found.sort()).toEqual(held.map((m) => `${m.id} ${stateOf(m)}`).sort());
      expect(
        deadLetterQueue
          .peek()
          .map((m) => m.messageId)
          .sort(),
      ).toEqual(dead.map((m) => m.id).sort());
      const oldest = Math.min(clock.now(), ...held.map((m) => m.sentAt));
      expect(queue.oldestAgeSeconds()).toBe(Math.floor((clock.now() - oldest) / 1000));
    }
  });
  await fc.assert(property, { numRuns: runs(300) });
});

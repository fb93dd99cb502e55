import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { deadLetterAttributes } from '../../lambdas/buffer/sqs/dead-letter-attributes.ts';
import { NeverRetry, RetryLater, StopTask } from '../../lambdas/core/errors.ts';
import type { Outcome } from '../../lambdas/deliver/sink.ts';
import type { Requeued } from '../../lambdas/worker/message.ts';
import { workerQueues } from '../../lambdas/worker/queues.ts';
import { anyCharacter } from '../support/characters.ts';
import { attributes, envelope, kinesisEvent, sqsEvent } from '../support/messages.ts';
import { runs } from '../support/property-runs.ts';
import { taskWith } from '../support/scripted-task.ts';

const delivered: Outcome = { status: 'delivered' };
const never: Outcome = { status: 'never', error: new NeverRetry('REJECTED', 'no') };

const later: Outcome = { status: 'retry', error: new RetryLater('later') };
const stop: Outcome = { status: 'stop', error: new StopTask('stop') };

describe('the worker', () => {
  it('loses nothing: every message has one end, and is reported once at most, whatever fails (F37)', async () => {
    const outcomes: Record<string, Outcome> = { deliver: delivered, later, never, stop, unsent: { status: 'unsent' } };
    const message = fc.record({
      does: fc.constantFrom(...Object.keys(outcomes), 'none'),
      passes: fc.boolean(),
      breaks: fc.constantFrom('nothing', 'nothing', 'envelope', 'json'),
      stores: fc.boolean(),
      keeps: fc.boolean(),
      attempt: fc.nat(5),
      receives: fc.integer({ min: 1, max: 4 }),
      isSuspect: fc.boolean(),
    });
    const options = fc.record({
      faultTolerance: fc.constantFrom('allowed', 'prohibited'),
      poison: fc.constantFrom('block', 'deadLetter'),
      onExhausted: fc.constantFrom('deadLetter', 'drop'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 1, maxLength: 40 }),
        fc.option(fc.constantFrom('retry', 'stop', 'bug')),
        options,
        async (messages, throws, spec) => {
          const of = (text: string) => messages[Number(/\d+/.exec(text)![0])]!;
          const ofBody = (body: string) => of(Buffer.from(JSON.parse(body).payload, 'base64').toString());
          const error = { retry: new RetryLater('x'), stop: new StopTask('x'), bug: new TypeError('x') };
          const task = taskWith({
            filter: { data: { body: { passes: [true] } } },
            deliver: (payload) => outcomes[of(payload.toString()).does] as Outcome,
            stores: ({ body }) => ofBody(body).stores,
            keeps: ({ body }) => ofBody(body).keeps,
            ...spec,
            ...(throws !== null && { throws: error[throws] }),
          });
          const payloads = messages.map(
            ({ passes, breaks }, i) => `{"n":${i},"passes":${passes}${breaks === 'json' ? '' : '}'}`,
          );
          const bodies = payloads.map((payload, i) =>
            JSON.stringify({ ...envelope(payload), v: messages[i]!.breaks === 'envelope' ? 9 : 1 }),
          );
          const event = sqsEvent(bodies);
          messages.forEach(({ attempt, receives, isSuspect }, i) => {
            const record = event.Records[i]!;
            record.attributes.ApproximateReceiveCount = String(receives);
            record.messageAttributes = attributes({ ATTEMPT: attempt, ...(isSuspect && { SUSPECT: 1 }) });
          });
          const { batchItemFailures } = await task.handler(event);

          const ends = messages.map((_, i) => ({
            delivered: task.delivered.filter((payload) => payload.toString() === payloads[i]).length,
            dead: task.dlqMessages.filter(({ body }) => body === bodies[i]).length,
            requeued: task.requeued.filter(({ body }) => body === bodies[i]).length,
            failed: batchItemFailures.filter(({ itemIdentifier }) => itemIdentifier === `message-${i}`).length,
          }));
          const [report] = task.reports;
          const sum = (key: keyof (typeof ends)[number]) => ends.reduce((total, end) => total + end[key], 0);
          for (const end of ends) expect(Object.values(end).reduce((a, b) => a + b)).toBeLessThanOrEqual(1);
          expect(report).toMatchObject({
            received: messages.length,
            delivered: sum('delivered'),
            deadLettered: sum('dead'),
          });
          expect(report!.retried + report!.parked).toBe(sum('requeued'));
          const { filtered, dropped } = report!;
          expect(filtered + dropped + sum('delivered') + sum('dead') + sum('requeued') + sum('failed')).toBe(
            messages.length,
          );
          const staying = task.shortened.filter(({ seconds }) => seconds === 15);
          expect(staying.map(({ id }) => id).sort()).toEqual(
            batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).sort(),
          );
        },
      ),
      { numRuns: runs(300) },
    );
  });

  it('gives a batch that is delivered twice the same ids both times (F18)', async () => {
    const task = taskWith({ deliver: () => delivered, payload: '${id}' });
    const event = sqsEvent(['a', 'b'].map((id) => JSON.stringify(envelope('x', { id }))));
    await task.handler(event);
    await task.handler(event);
    expect(task.delivered.map(String)).toEqual(['a', 'b', 'a', 'b']);
  });

  it('requeues a message that failed, with its attempt and first-seen time', async () => {
    const body = JSON.stringify(envelope('x'));
    const task = taskWith({ deliver: () => later });
    expect(await task.handler(sqsEvent([body]))).toEqual({ batchItemFailures: [] });
    const [first] = task.requeued;
    expect(first).toMatchObject({ body, attempt: 1, firstSeen: 1_795_251_600_000 });
    expect(first!.delaySeconds).toBeGreaterThanOrEqual(10);
    const again = sqsEvent([body]);
    again.Records[0]!.messageAttributes = attributes({ ATTEMPT: 3, FIRST_SEEN: 1_795_251_000_000 });
    await task.handler(again);
    expect(task.dlqMessages).toMatchObject([
      {
        body,
        error: { code: 'RETRIES_EXHAUSTED', message: 'later' },
        exhausted: 'MaximumRetryAttempts',
        retryAttempts: 3,
        firstSeen: 1_795_251_000_000,
      },
    ]);
  });

  it('does not try a message that has had more retries than its policy gives', async () => {
    const task = taskWith({ deliver: () => delivered });
    const event = sqsEvent([JSON.stringify(envelope('x'))]);
    event.Records[0]!.messageAttributes = attributes({ ATTEMPT: 4 });
    await task.handler(event);
    expect(task.batches).toEqual([]);
    expect(task.dlqMessages).toMatchObject([{ error: { code: 'RETRIES_EXHAUSTED' }, retryAttempts: 4 }]);
    // Unless it blocks: then its operator has enabled the task again to have it tried.
    const blocked = taskWith({ deliver: () => delivered, faultTolerance: 'prohibited' });
    await blocked.handler(event);
    expect(blocked.delivered).toHaveLength(1);
  });

  it('starts afresh with a redriven dead letter (F29)', async () => {
    const task = taskWith({ deliver: () => later });
    const event = sqsEvent([JSON.stringify(envelope('x'))]);
    event.Records[0]!.messageAttributes = attributes({
      ERROR_CODE: 'REJECTED',
      RETRY_ATTEMPTS: 3,
      FIRST_SEEN: 1,
      ATTEMPT: 3,
    });
    await task.handler(event);
    expect(task.requeued).toMatchObject([{ attempt: 1, firstSeen: 1_795_251_600_100 }]);
  });

  it('gives a redriven message its whole time, also when it is retried, and in a stream (C38, F29)', async () => {
    const redrivenAt = 1_795_251_600_000;
    const old = { timestamp: redrivenAt - 3_600_000 };
    let now = redrivenAt + 30_000;
    const task = (over: object = {}) =>
      taskWith({ deliver: () => later, requestTtlSeconds: 45, now: () => now, ...over });
    const first = task();
    const event = sqsEvent([JSON.stringify(envelope('x', old))]);
    event.Records[0]!.messageAttributes = attributes({ ERROR_CODE: 'RETRIES_EXHAUSTED', FIRST_SEEN: 1 });
    await first.handler(event);
    const [{ attempt, firstSeen }] = first.requeued as [Requeued];
    event.Records[0]!.messageAttributes = attributes({ ATTEMPT: attempt, FIRST_SEEN: firstSeen });
    const second = task();
    await second.handler(event);
    expect(second.requeued).toMatchObject([{ attempt: 2 }]);
    now += 15_101;
    await second.handler(event);
    expect(second.dlqMessages).toMatchObject([
      { error: { code: 'EXPIRED', message: 'the message expired: age 45 s, requestTtl 45 s' } },
    ]);

    const inStream = task({ buffer: { type: 'stream' } });
    now = redrivenAt + 30_000;
    const body = envelope('x', old);
    await inStream.handler(kinesisEvent([JSON.stringify(body), JSON.stringify({ ...body, redriven: redrivenAt })]));
    expect(inStream.dlqMessages.map(({ body: dlqMessage }) => JSON.parse(dlqMessage).redriven)).toEqual([undefined]);
    expect(inStream.batches.flat()).toHaveLength(1);
  });

  it('refuses every payload that is not of the data format, with validatePayload', async () => {
    const wanted = {
      json: ['REJECTED', 'INVALID_PAYLOAD'],
      text: ['REJECTED', 'REJECTED'],
      binary: ['REJECTED', 'REJECTED'],
    };
    for (const [dataFormat, codes] of Object.entries(wanted)) {
      const source = { type: 'iot-core', filters: ['#'], dataFormat };
      const task = taskWith({ deliver: () => never, source, validatePayload: true });
      await task.handler(sqsEvent(['{}', 'plain'].map((payload) => JSON.stringify(envelope(payload)))));
      expect(task.dlqMessages.map(({ error }) => error.code).sort()).toEqual([...codes].sort());
    }
  });

  it('sends nothing behind a record that blocks an ordered buffer (E5, F33)', async () => {
    const task = taskWith({
      buffer: { type: 'stream', order: 'strict' },
      faultTolerance: 'prohibited',
      poison: 'block',
      payload: '${payload.n}',
      deliver: () => delivered,
    });
    await task.handler(kinesisEvent(['{"n":1}', '{}', '{"n":3}'].map((text) => JSON.stringify(envelope(text)))));
    expect(task.delivered.map(String)).toEqual(['1']);
    expect(task.stops).toMatchObject([{ kind: 'blocked' }]);
  });

  it('counts neither a record that was not tried nor a stop as an attempt', async () => {
    const event = sqsEvent([JSON.stringify(envelope('a')), JSON.stringify(envelope('b'))]);
    for (const outcome of [{ status: 'unsent' } as const, stop]) {
      const task = taskWith({ deliver: () => outcome });
      await task.handler(event);
      expect(task.requeued.map(({ attempt }) => attempt)).toEqual([0, 0]);
      expect(task.stops).toEqual(outcome === stop ? [{ kind: 'circuitOpen', cause: 'stop', isOneDevice: true }] : []);
    }
    const mixed = taskWith({ deliver: (payload) => (payload.toString() === 'a' ? stop : delivered) });
    await mixed.handler(event);
    expect(mixed.requeued.map(({ attempt }) => attempt)).toEqual([1]);
    expect(mixed.stops).toEqual([]);
    // A message that can never be delivered proves nothing about the sink, and a publisher can send one in every batch (F24).
    const hopeless = taskWith({ deliver: (payload) => (payload.toString() === 'a' ? stop : never) });
    await hopeless.handler(event);
    expect(hopeless.requeued.map(({ attempt }) => attempt)).toEqual([0]);
    expect(hopeless.stops).toMatchObject([{ kind: 'circuitOpen' }]);
  });

  it('gives the receipts of delivered records at log level debug, and at no other', async () => {
    for (const logLevel of ['debug', 'info']) {
      const receipts: unknown[] = [];
      const task = taskWith({
        logLevel,
        deliver: (payload) => (payload.toString() === 'a' ? { status: 'delivered', receipt: 'shard:7' } : later),
        onReceipts: (given) => receipts.push(...given),
      });
      await task.handler(sqsEvent(['a', 'b'].map((text) => JSON.stringify(envelope(text, { id: text })))));
      expect(receipts).toEqual(logLevel === 'debug' ? [{ id: 'a', receipt: 'shard:7' }] : []);
    }
  });

  it('keeps a record that may not leave, with faults prohibited, and reports that it blocks (F33)', async () => {
    const event = sqsEvent([JSON.stringify(envelope('x'))]);
    const prohibited = { faultTolerance: 'prohibited', retryPolicy: { steps: [] } };
    for (const deliver of [() => later, () => never]) {
      const task = taskWith({ deliver, ...prohibited, poison: 'block' });
      await task.handler(event);
      expect(task.dlqMessages).toEqual([]);
      expect(task.requeued).toMatchObject([{ attempt: 0 }]);
      expect(task.stops).toMatchObject([{ kind: 'blocked' }]);
    }
    const tolerant = taskWith({ deliver: () => never, ...prohibited });
    await tolerant.handler(event);
    expect(tolerant.dlqMessages).toMatchObject([{ error: { code: 'REJECTED' } }]);
  });

  it('expires a message after its TTL, and not a millisecond sooner (C38, F14, F36)', async () => {
    const publishedAt = 1_795_251_600_000;
    const body = JSON.stringify(envelope('x', { timestamp: publishedAt }));
    const ahead = JSON.stringify(envelope('x', { timestamp: publishedAt + 3_600_000 }));
    const at = async (ageMs: number, given = body, over = {}) => {
      const task = taskWith({
        deliver: () => delivered,
        requestTtlSeconds: 45,
        now: () => publishedAt + ageMs,
        ...over,
      });
      await task.handler(sqsEvent([given]));
      return task;
    };
    expect((await at(45_000)).delivered).toHaveLength(1);
    expect((await at(45_001)).dlqMessages).toMatchObject([{ error: { code: 'EXPIRED' }, retryAttempts: 0 }]);
    // A publisher's clock that runs ahead is not trusted: the buffer received it 100 ms after it was published.
    expect((await at(45_101, ahead)).dlqMessages).toHaveLength(1);
    expect((await at(45_001, body, { onExpired: 'drop' })).reports).toMatchObject([{ expired: 1, deadLettered: 0 }]);
  });

  it('quarantines a message that may have stopped it, and dead-letters it when it does so alone (F15, F17)', async () => {
    const bodies = ['a', 'b', 'c', 'd'].map((text) => JSON.stringify(envelope(text)));
    const task = taskWith({ deliver: () => delivered });
    const event = sqsEvent(bodies);
    event.Records[1]!.attributes.ApproximateReceiveCount = '3';
    await task.handler(event);
    expect(task.requeued).toMatchObject([{ body: bodies[1], isSuspect: true, attempt: 0 }]);

    const again = sqsEvent(bodies);
    for (const i of [1, 2]) again.Records[i]!.messageAttributes = attributes({ SUSPECT: 1 });
    again.Records[3]!.attributes.ApproximateReceiveCount = '3';
    const alone = taskWith({ deliver: () => delivered });
    await alone.handler(again);
    expect(alone.batches.map((batch) => batch.join())).toEqual(['b']);
    expect(alone.requeued.map(({ body, isSuspect }) => [body, isSuspect])).toEqual([
      [bodies[0], false],
      [bodies[2], true],
      [bodies[3], true],
    ]);
    // Redelivery within that time shows that it stopped the function.
    expect(alone.shortened).toEqual([{ id: 'message-1', seconds: 90 }]);
    // The messages beside the poison-message suspect have left before it is tried, so its crash cannot count against them.
    expect(alone.removed.map(({ body }) => body)).toEqual([bodies[0], bodies[2], bodies[3]]);

    const last = sqsEvent([bodies[1]!]);
    last.Records[0]!.messageAttributes = attributes({ SUSPECT: 1 });
    last.Records[0]!.attributes.ApproximateReceiveCount = '3';
    const givenUp = taskWith({ deliver: () => delivered });
    await givenUp.handler(last);
    expect(givenUp.dlqMessages).toMatchObject([{ body: bodies[1], error: { code: 'CRASHED' } }]);
    // With faults prohibited it blocks the task, and is still a poison-message suspect.
    const blocked = taskWith({ deliver: () => delivered, faultTolerance: 'prohibited', poison: 'block' });
    await blocked.handler(last);
    expect(blocked.dlqMessages).toEqual([]);
    expect(blocked.requeued).toMatchObject([{ body: bodies[1], isSuspect: true }]);
    expect(blocked.reports).toMatchObject([{ stop: { kind: 'blocked' } }]);
  });

  it('applies the filters of transform after the first (A4)', async () => {
    const task = taskWith({
      deliver: () => delivered,
      filter: { data: { body: { a: [1] } } },
      transform: [{ filter: { data: { body: { b: [2] } } } }, { filter: { data: { topic: [{ prefix: 't' }] } } }],
    });
    const bodies = ['{"a":1,"b":2}', '{"a":1}', '{"b":2}'].map((text) =>
      JSON.stringify(envelope(text, { topic: 't' })),
    );
    await task.handler(sqsEvent(bodies));
    expect(task.delivered.map(String)).toEqual(['{"a":1,"b":2}']);
    expect(task.reports).toMatchObject([{ filtered: 2 }]);
  });

  it('needs every environment variable that the construct sets, and names the one that is missing', () => {
    const needed = [
      'RULE_ARNS',
      'TARGET_ARN',
      'DEAD_LETTER_QUEUE_URL',
      'CONTROL_QUEUE_URL',
      'QUEUE_URL',
      'RETRY_QUEUE_URL',
    ];
    const env = Object.fromEntries(needed.map((name) => [name, 'x']));
    const start = (given: Record<string, string>) => {
      taskWith({ deliver: () => delivered, env: given });
      workerQueues({ api: {} as SqsApi, env: given, task: 'T', log: () => {}, now: () => 0 }).buffer();
    };
    start(env);
    for (const name of needed) {
      expect(() => start({ ...env, [name]: '' })).toThrow(`environment variable ${name}`);
      expect(() => start(Object.fromEntries(Object.entries(env).filter(([key]) => key !== name)))).toThrow(name);
    }
  });

  it('dead-letters with all ten attributes and the unchanged body (F10)', async () => {
    const body = JSON.stringify(envelope('x', { topic: 'a/b' }));
    const task = taskWith({ deliver: () => never });
    await task.handler(sqsEvent([body]));
    const [dlqMessage] = task.dlqMessages;
    expect(dlqMessage!.body).toBe(body);
    const attributes = deadLetterAttributes(dlqMessage!, 'Telemetry');
    expect(
      Object.fromEntries(Object.entries(attributes).map(([name, { StringValue }]) => [name, StringValue])),
    ).toEqual({
      ERROR_CODE: 'REJECTED',
      ERROR_MESSAGE: 'no',
      EXHAUSTED_RETRY_CONDITION: 'None',
      RETRY_ATTEMPTS: '0',
      RULE_ARN: 'arn:rule/2',
      TARGET_ARN: 'arn:aws:script:::target',
      STAGE: 'deliver',
      TASK: 'Telemetry',
      MESSAGE_ID: envelope().id,
      FIRST_SEEN: '1795251600000',
    });
  });

  it('writes attributes that SQS accepts, and none that is empty', () => {
    const dlqMessage = {
      body: '',
      stage: 'filter',
      messageId: '',
      firstSeen: 0,
      retryAttempts: 0,
      exhausted: 'None',
      ruleArn: '',
      targetArn: '',
    } as const;
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 3000 }), (message) => {
        const error = new NeverRetry('REJECTED', message);
        for (const { StringValue } of Object.values(deadLetterAttributes({ ...dlqMessage, error }, 't'))) {
          expect(StringValue).toMatch(/^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]+$/u);
          expect(Buffer.byteLength(StringValue)).toBeLessThanOrEqual(1024);
        }
      }),
    );
  });
});

const NASTY: Record<string, string | Uint8Array> = {
  'broken JSON': '{"a":',
  'invalid UTF-8': new Uint8Array([0x7b, 0xff, 0xfe]),
  'NUL bytes': '\u0000{"a":1}\u0000',
  'an escaped lone surrogate': '{"a":"\\ud800"}',
  '10,000 levels': `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
  '__proto__ keys': '{"__proto__":{"a":1},"constructor":{"prototype":{"a":1}}}',
  '128 KiB of [': '['.repeat(131_072),
  '128 KiB of {"a":': '{"a":'.repeat(26_214),
  '1e400 and big integers': '{ "a" : 1e400, "b" : 123456789012345678901234567890 }',
  'spaces and key order': ' { "z" : 1 , "a" : 2 } \n',
  nothing: '',
};

describe('hostile payloads (F11, S11)', () => {
  const bodies = Object.values(NASTY).map((payload) => JSON.stringify(envelope(payload)));

  it('are delivered byte for byte if no stage reads them', async () => {
    const task = taskWith({ deliver: () => delivered, filter: { data: { topic: [{ prefix: 'devices/' }] } } });
    expect(await task.handler(sqsEvent(bodies))).toEqual({ batchItemFailures: [] });
    // As text: comparing buffers element by element takes seconds.
    const bytesOf = (payload: string | Uint8Array) => Buffer.from(payload).toString('latin1');
    expect(task.delivered.map(bytesOf)).toEqual(Object.values(NASTY).map(bytesOf));
  });

  it.each([
    ['a filter', { filter: { data: { body: { a: [{ exists: true }] } } } }, 'filter'],
    ['a template', { payload: '<${payload.a}>' }, 'render'],
    ['validatePayload', { validatePayload: true }, 'decode'],
  ])('are delivered, filtered or dead-lettered with their code where %s reads them', async (_, spec, stage) => {
    const task = taskWith({ deliver: () => delivered, ...spec });
    const good = JSON.stringify(envelope('{"a":"good"}'));
    expect(await task.handler(sqsEvent([...bodies, good]))).toEqual({ batchItemFailures: [] });
    expect(task.delivered.at(-1)!.toString()).toContain('good');
    for (const dlqMessage of task.dlqMessages) {
      expect(['INVALID_PAYLOAD', 'TEMPLATE_VARIABLE_MISSING']).toContain(dlqMessage.error.code);
      expect(dlqMessage.stage).toBe(stage);
    }
    const invalid = task.dlqMessages
      .filter(({ error }) => error.code === 'INVALID_PAYLOAD')
      .map(({ body }) => bodies.indexOf(body));
    const names = Object.keys(NASTY);
    expect(invalid.map((i) => names[i])).toEqual(
      expect.arrayContaining(['broken JSON', 'invalid UTF-8', 'NUL bytes', '10,000 levels', '128 KiB of [', 'nothing']),
    );
    expect(Object.hasOwn(Object.prototype, 'a')).toBe(false);
  });

  it('do not fail the batch, whatever the bytes and the message of the buffer', async () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => JSON.stringify(envelope(bytes))),
      fc.json().map((text) => JSON.stringify(envelope(text))),
      fc.json(),
      fc.string(),
      fc.object().map((over) => JSON.stringify({ ...envelope(), ...over })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 10 }), async (given) => {
        const task = taskWith({
          deliver: () => delivered,
          filter: { data: { body: { a: [{ 'anything-but': 1 }] } } },
          payload: '${payload.a}${.}',
        });
        expect(await task.handler(sqsEvent(given))).toEqual({ batchItemFailures: [] });
        const [report] = task.reports;
        expect(report!.delivered + report!.filtered + report!.deadLettered).toBe(given.length);
      }),
    );
  });
});

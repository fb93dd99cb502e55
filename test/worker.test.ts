import type { SQSEvent } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { NeverRetry, RetryLater, StopTask } from '../lambdas/core/errors.ts';
import { compileTemplate } from '../lambdas/core/template/template.ts';
import { type DeadLetter, deadLetterAttributes } from '../lambdas/dead-letter.ts';
import type { Outcome, SinkDefinition } from '../lambdas/deliver/sink.ts';
import { createHandler } from '../lambdas/handler.ts';
import type { BatchReport } from '../lambdas/worker.ts';
import { context, envelope, sqsEvent } from './support/messages.ts';

type Script = (payload: Buffer) => Outcome;

/** A task whose sink and dead-letter queue do as they are told, and remember. */
function taskWith({
  deliver,
  store = () => true,
  throws,
  ...spec
}: {
  deliver: Script;
  store?: (letter: DeadLetter) => boolean;
  throws?: Error;
  filter?: object;
  payload?: string;
  validatePayload?: boolean;
}) {
  const { payload = '${payload}', ...rest } = spec;
  const delivered: Buffer[] = [];
  const letters: DeadLetter[] = [];
  const reports: BatchReport[] = [];
  const definition: SinkDefinition<z.ZodType<{ type: 'script'; payload: string }>, Buffer> = {
    type: 'script',
    options: z.strictObject({ type: z.literal('script'), payload: z.string() }),
    compile: (options, missingVariable) => {
      const template = compileTemplate(options.payload, { missingVariable });
      return (scope) => Buffer.from(template.render(scope));
    },
    open: () => ({
      async deliver(requests) {
        if (throws !== undefined) throw throws;
        return requests.map((request) => {
          const outcome = deliver(request);
          if (outcome?.status === 'delivered') delivered.push(request);
          return outcome;
        });
      },
      close() {},
    }),
    target: () => 'arn:aws:script:::target',
    show: (request) => ({ request }),
  };
  const handler = createHandler(definition, {
    spec: {
      v: 1,
      task: 'Telemetry',
      source: { type: 'iot-core', filters: ['t/+', '#'] },
      sink: { type: 'script', payload },
      ...rest,
    },
    env: { RULE_ARNS: 'arn:rule/1,arn:rule/2' },
    deadLetters: {
      async send(batch) {
        return batch.map((letter) => {
          const stored = store(letter);
          if (stored) letters.push(letter);
          return stored;
        });
      },
    },
    report: (report) => reports.push(report),
  });
  return { handler: (event: SQSEvent) => handler(event, context), delivered, letters, reports };
}

const delivered: Outcome = { status: 'delivered' };
const never: Outcome = { status: 'never', error: new NeverRetry('REJECTED', 'no') };

describe('the worker', () => {
  it('loses nothing: every message ends delivered, filtered, dead-lettered or reported failed, whatever fails', async () => {
    const outcomes: Record<string, Outcome> = {
      deliver: delivered,
      retry: { status: 'retry', error: new RetryLater('later') },
      never,
      stop: { status: 'stop', error: new StopTask('stop') },
    };
    const message = fc.record({
      does: fc.constantFrom(...Object.keys(outcomes), 'none'),
      passes: fc.boolean(),
      breaks: fc.constantFrom('nothing', 'nothing', 'envelope', 'json'),
      stores: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { maxLength: 40 }),
        fc.option(fc.constantFrom('retry', 'stop', 'bug')),
        async (messages, throws) => {
          const of = (text: string) => messages[Number(/\d+/.exec(text)![0])]!;
          const error = { retry: new RetryLater('x'), stop: new StopTask('x'), bug: new TypeError('x') };
          const task = taskWith({
            filter: { data: { body: { passes: [true] } } },
            deliver: (payload) => outcomes[of(payload.toString()).does] as Outcome,
            store: ({ body }) => of(Buffer.from(JSON.parse(body).payload, 'base64').toString()).stores,
            ...(throws !== null && { throws: error[throws] }),
          });
          const payloads = messages.map(
            ({ passes, breaks }, i) => `{"n":${i},"passes":${passes}${breaks === 'json' ? '' : '}'}`,
          );
          const bodies = payloads.map((payload, i) =>
            JSON.stringify({ ...envelope(payload), v: messages[i]!.breaks === 'envelope' ? 9 : 1 }),
          );
          const { batchItemFailures } = await task.handler(sqsEvent(bodies));

          const ends = messages.map((_, i) => ({
            delivered: task.delivered.filter((payload) => payload.toString() === payloads[i]).length,
            filtered: messages[i]!.breaks === 'nothing' && !messages[i]!.passes ? 1 : 0,
            dead: task.letters.filter(({ body }) => body === bodies[i]).length,
            failed: batchItemFailures.filter(({ itemIdentifier }) => itemIdentifier === `message-${i}`).length,
          }));
          for (const end of ends)
            expect(end.delivered + end.filtered + end.dead + end.failed, JSON.stringify(end)).toBe(1);
          const sum = (key: keyof (typeof ends)[number]) => ends.reduce((total, end) => total + end[key], 0);
          expect(task.reports).toMatchObject([
            {
              received: messages.length,
              delivered: sum('delivered'),
              filtered: sum('filtered'),
              deadLettered: sum('dead'),
            },
          ]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('dead-letters with all ten attributes, and the body as it came', async () => {
    const body = JSON.stringify(envelope('x', { topic: 'a/b' }));
    const task = taskWith({ deliver: () => never });
    await task.handler(sqsEvent([body]));
    const [letter] = task.letters;
    expect(letter!.body).toBe(body);
    const attributes = deadLetterAttributes(letter!, 'Telemetry');
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
      FIRST_SEEN: '1795251600100',
    });
  });

  it('writes only what SQS takes into attributes, and never nothing', () => {
    const letter = {
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
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (message) => {
        const error = new NeverRetry('REJECTED', message);
        for (const { StringValue } of Object.values(deadLetterAttributes({ ...letter, error }, 't'))) {
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

describe('payloads that nobody would send (F11, S11)', () => {
  const bodies = Object.values(NASTY).map((payload) => JSON.stringify(envelope(payload)));

  it('are delivered byte for byte where nothing reads them', async () => {
    const task = taskWith({ deliver: () => delivered, filter: { data: { topic: [{ prefix: 'devices/' }] } } });
    expect(await task.handler(sqsEvent(bodies))).toEqual({ batchItemFailures: [] });
    expect(task.delivered).toEqual(Object.values(NASTY).map((payload) => Buffer.from(payload)));
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
    for (const letter of task.letters) {
      expect(['INVALID_PAYLOAD', 'TEMPLATE_VARIABLE_MISSING']).toContain(letter.error.code);
      expect(letter.stage).toBe(stage);
    }
    const invalid = task.letters
      .filter(({ error }) => error.code === 'INVALID_PAYLOAD')
      .map(({ body }) => bodies.indexOf(body));
    const names = Object.keys(NASTY);
    expect(invalid.map((i) => names[i])).toEqual(
      expect.arrayContaining(['broken JSON', 'invalid UTF-8', 'NUL bytes', '10,000 levels', '128 KiB of [', 'nothing']),
    );
    expect(Object.hasOwn(Object.prototype, 'a')).toBe(false);
  });

  it('whatever the bytes, and whatever the buffer held, the batch goes on', async () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => JSON.stringify(envelope(bytes))),
      fc.json().map((text) => JSON.stringify(envelope(text))),
      fc.json(),
      fc.string(),
      fc.object().map((over) => JSON.stringify({ ...envelope(), ...over })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(anything, { maxLength: 10 }), async (given) => {
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

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escaped } from '../../lambdas/buffer/sqs/sqs-text.ts';
import { parseSpec } from '../../lambdas/core/spec.ts';
import { kinesis } from '../../lambdas/deliver/kinesis/kinesis.ts';
import { tryTask } from '../../lambdas/testing/index.ts';
import { createWorker } from '../../lambdas/worker/worker.ts';
import { IotTopicSource, KinesisSink, OutflowTask } from '../../lib/index.ts';
import { envelope } from '../support/messages.ts';
import { scriptedBuffer, scriptedQueues, WORKER_ENV } from '../support/task-queues.ts';
import { deployable, type Invocation } from './deployed-worker.ts';

const SECRETS = {
  AWS_SECRET_ACCESS_KEY: 'canary-secret-key-Zq83',
  AWS_SESSION_TOKEN: 'canary-session-token-Zq83',
  DATABASE_PASSWORD: 'canary-password-Zq83',
};
const PAYLOAD_CANARY = 'canary-payload-Zq83';
const BROKEN_LINE = '\r\n{"level":"ERROR","task":"forged"}\u001b[2J\u001b[31m\u0000\u0085\u2028end';

const task = () => ({
  source: new IotTopicSource('#'),
  filter: { data: { body: { a: [{ exists: true }] } } },
  sink: new KinesisSink('telemetry', { partitionKey: '${clientid}', payload: '${payload}' }),
});

/** Messages with every outcome: delivered, filtered, refused by the stream, and dead-lettered at each stage. */
function messages(word: string): string[] {
  const fields = { topic: `t/${word}`, clientid: `c${word}`, principal: word, userProperties: [{ [word]: word }] };
  const { clientid: _, ...anonymous } = fields;
  const json = JSON.stringify({ a: PAYLOAD_CANARY });
  return [
    JSON.stringify(envelope(json, fields)),
    JSON.stringify(envelope(`${json} `, fields)),
    JSON.stringify(envelope(JSON.stringify({ b: PAYLOAD_CANARY }), fields)),
    JSON.stringify(envelope(`{"a":"${PAYLOAD_CANARY}`, fields)),
    JSON.stringify({ ...envelope(json), clientid: undefined, ...anonymous }),
    JSON.stringify({ ...envelope(json, fields), v: word }),
    `${word}${PAYLOAD_CANARY}`,
    JSON.stringify(envelope(`{"a":${PAYLOAD_CANARY}}`, fields)),
    JSON.stringify(envelope(PAYLOAD_CANARY, fields)),
    JSON.stringify({ ...envelope(json, fields), v: { [PAYLOAD_CANARY]: PAYLOAD_CANARY } }),
    JSON.stringify({ ...envelope(json, fields), payload: `${PAYLOAD_CANARY}!` }),
  ];
}

describe('what a task discloses', () => {
  const before = { ...process.env };
  let directory: string;
  let quiet: Invocation;
  let hostile: Invocation;

  beforeAll(async () => {
    Object.assign(process.env, SECRETS);
    const deployed = deployable(task());
    directory = deployed.directory;
    // Kinesis refuses the record that ends in a space, and SQS refuses dead letters that are not JSON. Both errors quote the publisher.
    const invoked = (word: string) =>
      deployed.invoke(
        messages(word),
        {
          kinesis: (data) => (data.endsWith(' ') ? `try later${word}` : undefined),
          queue: (body) => (body.startsWith('{') ? undefined : `not now${word}`),
        },
        SECRETS,
      );
    [quiet, hostile] = await Promise.all([invoked('plain'), invoked(BROKEN_LINE)]);
  }, 60_000);
  afterAll(() => {
    for (const name of Object.keys(SECRETS)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });

  it('S05 the worker logs, writes dead letters, and reports the message that it could not store as failed', () => {
    expect(quiet.lines.length).toBeGreaterThan(1);
    expect(quiet.queued.length).toBeGreaterThanOrEqual(4);
    expect(quiet.answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toContain('message-6');
  });

  it('S05 no secret in the environment of synth is in the assembly', () => {
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['spec.json', 'Test.template.json']));
    for (const { parentPath, name } of files)
      expect(containing(readFileSync(join(parentPath, name), 'utf8'), Object.values(SECRETS)), name).toEqual([]);
  });

  it('S05 no log line contains a secret or a payload', () => {
    for (const line of [...quiet.lines, ...hostile.lines]) {
      expect(containing(line, [...Object.values(SECRETS), PAYLOAD_CANARY])).toEqual([]);
      expect(line).not.toContain(Buffer.from(PAYLOAD_CANARY).toString('base64').slice(4, -4));
    }
  });

  it('S05 no message to a queue contains a secret', () => {
    for (const { entry } of [...quiet.queued, ...hostile.queued])
      expect(containing(JSON.stringify(entry), Object.values(SECRETS))).toEqual([]);
  });

  it('S05 no attribute of a dead letter contains a payload; only the body does', () => {
    const dlqMessages = [...quiet.queued, ...hostile.queued].filter(
      ({ entry }) => entry.MessageAttributes?.['ERROR_CODE'],
    );
    const codes = dlqMessages.map(({ entry }) => entry.MessageAttributes!['ERROR_CODE']!.StringValue);
    expect(codes).toEqual(expect.arrayContaining(['INVALID_PAYLOAD', 'UNSUPPORTED_ENVELOPE']));
    for (const { entry } of dlqMessages)
      expect(containing(JSON.stringify(entry.MessageAttributes), [PAYLOAD_CANARY, 'canary-p'])).toEqual([]);
  });

  it.each<[string, object, object]>([
    ['stream', { stream: '${payload.a}' }, { a: `${PAYLOAD_CANARY} !` }],
    ['stream', { stream: 's-${payload.a}' }, { a: PAYLOAD_CANARY.repeat(10) }],
    ['stream', { stream: '${payload.a}' }, { a: { [PAYLOAD_CANARY]: 1 } }],
    ['partitionKey', { partitionKey: '${payload.a}' }, { a: PAYLOAD_CANARY.repeat(20) }],
    ['explicitHashKey', { explicitHashKey: '${payload.a}' }, { a: PAYLOAD_CANARY }],
    ['payload', { payload: '${payload.a}${payload.b}' }, { a: PAYLOAD_CANARY }],
    ['payload', { payload: '${payload.a}' }, { a: `${PAYLOAD_CANARY}\ud800` }],
    ['payload', { payload: '${payload.a}', maxRecordBytes: 10 }, { a: PAYLOAD_CANARY }],
  ])('S05 no error of a rendered %s contains the value: %j', async (_, sink, payload) => {
    const spec = {
      v: 1,
      task: 'T',
      source: { type: 'iot-core', filters: ['#'] },
      sink: { type: 'kinesis', stream: 's', partitionKey: 'k', ...sink },
    };
    const { error } = await tryTask(spec, { topic: 't', payload });
    expect(error).toMatchObject({ stage: 'render', message: expect.stringMatching(/ /) });
    expect(error!.message).not.toContain('canary');
  });

  it('S05 an unexpected error is reported by its name and its code alone', async () => {
    const queues = scriptedQueues();
    const spec = {
      v: 1,
      task: 'T',
      source: { type: 'iot-core', filters: ['#'] },
      sink: { type: 'kinesis', stream: 's', partitionKey: 'k' },
    };
    const fails = () => {
      throw Object.assign(new TypeError(PAYLOAD_CANARY), { code: 'ERR_UNEXPECTED' });
    };
    const worker = createWorker(
      parseSpec(spec, kinesis.options),
      { ...kinesis, compile: () => fails },
      { env: WORKER_ENV, ...queues },
    );
    const body = JSON.stringify(envelope());
    const messages = [{ id: 'm', body, sentAt: 1, attempt: 0, firstSeen: 1 }];
    await worker.process({ messages }, { remainingMs: () => Infinity, buffer: scriptedBuffer(queues) });
    expect(queues.dlqMessages.map(({ error }) => [error.code, error.message])).toEqual([
      ['CRASHED', 'render failed: TypeError ERR_UNEXPECTED'],
    ]);
  });

  it('S05 the value of a secret is refused in a task: it would be in the template', () => {
    const stack = new Stack(new App(), 'Test');
    const password = new Secret(stack, 'Secret').secretValue.unsafeUnwrap();
    const sink = new KinesisSink('telemetry', { partitionKey: '${clientid}', payload: `{"password":"${password}"}` });
    expect(() => new OutflowTask(stack, 'Leaking', { ...task(), sink })).toThrow(
      /Leaking\.sink\.payload: got a CDK token, which is only known at deployment;/,
    );
  });

  it('S10 text of publishers and servers stays within one line of the log, escaped', () => {
    const shape = ({ lines }: Invocation) => lines.map((line) => Object.keys(JSON.parse(line)));
    expect(shape(hostile)).toEqual(shape(quiet));
    expect(hostile.lines.join('')).toContain('forged'); // It reached the log.
    for (const line of hostile.lines) {
      expect([...line].filter(isControl)).toEqual([]);
      expect(JSON.parse(line).task).not.toBe('forged');
    }
  });

  it('S10 dead letters have the original body, except for characters that SQS refuses, and attributes that SQS accepts', () => {
    const dlqMessages = hostile.queued.filter(({ entry }) => entry.MessageAttributes?.['ERROR_CODE']);
    const bodies = messages(BROKEN_LINE).map(escaped);
    expect(dlqMessages.map(({ entry }) => bodies.indexOf(entry.MessageBody)).sort((a, b) => a - b)).toEqual([
      3, 4, 5, 6, 7, 8, 9, 10,
    ]);
    for (const { entry } of dlqMessages) {
      for (const { StringValue } of Object.values(entry.MessageAttributes!))
        expect([...StringValue].filter(isControl).join('')).toMatch(/^[\t\n\r]*$/);
    }
  });
});

function isControl(character: string): boolean {
  return character < ' ';
}

function containing(text: string, canaries: readonly string[]): string[] {
  return canaries.filter((canary) => text.includes(canary));
}

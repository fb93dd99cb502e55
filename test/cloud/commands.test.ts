import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { type CloudTask, reportOf, type TaskReport } from '../../bin/cloud/cloud.ts';
import { readDeadLetter } from '../../bin/cloud/dead-letter.ts';
import { progress, type WaitClock } from '../../bin/commands/change-state.ts';
import { deadLetterText } from '../../bin/commands/dlq.ts';
import { readLines } from '../../bin/commands/lines.ts';
import { jsonText, printable } from '../../bin/commands/printable.ts';
import { statusText } from '../../bin/commands/status.ts';
import { table } from '../../bin/commands/table.ts';
import { showsColours } from '../../bin/commands/terminal.ts';
import { INITIAL_STATE, type TaskState } from '../../lambdas/core/task-state.ts';
import { envelope } from '../support/messages.ts';
import { command } from './contract.ts';

const HOSTILE = fc.string({
  unit: fc.constantFrom(
    'a',
    '"',
    '\\',
    '\n',
    '\x1b[2J',
    '\x07',
    '\x7f',
    '\x9b1m',
    '\u202e',
    '\u2028',
    '\u200b',
    '\ud800',
    'é',
    '😀',
  ),
});
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const ACTS_ON_A_TERMINAL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/;

describe('text from messages', () => {
  it('never acts on the terminal', () => {
    fc.assert(
      fc.property(HOSTILE, (text) => {
        expect(printable(text)).not.toMatch(/\n/);
        expect(printable(text)).not.toMatch(ACTS_ON_A_TERMINAL);
        expect(jsonText({ [text]: text })).not.toMatch(ACTS_ON_A_TERMINAL);
        const attributes = { ERROR_MESSAGE: { DataType: 'String', StringValue: text } };
        const stored = { messageId: text, attributes, sentAt: 0 };
        for (const body of [text, JSON.stringify(envelope(text, { topic: text, clientid: text }))])
          expect(deadLetterText(readDeadLetter({ ...stored, body }))).not.toMatch(ACTS_ON_A_TERMINAL);
        const report = reportOf({ ...READINGS, state: stopped(text) }, 0);
        expect(statusText([report], { now: 0, columns: 200 })).not.toMatch(ACTS_ON_A_TERMINAL);
      }),
    );
  });

  it('is the same JSON for programs', () => {
    fc.assert(
      fc.property(HOSTILE, (text) => {
        expect(JSON.parse(jsonText([text]))).toEqual([text]);
      }),
    );
  });
});

const READINGS = {
  task: 'Warm',
  stack: 'Plant',
  queue: { visible: 5, inFlight: 1, delayed: 2, retentionSeconds: 60 },
  retryQueue: { visible: 1, inFlight: 3, delayed: 4, retentionSeconds: 60 },
  deadLetterQueue: { visible: 6, inFlight: 0, delayed: 0, retentionSeconds: 60 },
  mappings: ['Enabled', 'Enabled'],
};
const stopped = (cause: string, at = 10): TaskState => ({
  ...INITIAL_STATE,
  halt: { why: 'stopped', cause },
  stops: [[at, null]],
});

describe('a report', () => {
  it('corrects the stored state by the states of the mappings', () => {
    const running = { ...INITIAL_STATE, status: 'Running' as const, since: 7 };
    const report = (state: TaskState, mappings: string[]) => reportOf({ ...READINGS, state, mappings }, 99);
    expect(report(running, ['Enabled', 'Enabled'])).toMatchObject({
      status: 'Running',
      since: 7,
      waiting: 7,
      retrying: 5,
      inFlight: 4,
      deadLetters: 6,
    });
    expect(report(running, ['Enabled', 'Enabling'])).toMatchObject({ status: 'Starting', since: 99 });
    expect(report(stopped('gone'), ['Disabled', 'Disabled'])).toMatchObject({
      status: 'Start Failed',
      cause: 'gone',
      stoppedAt: 10,
    });
  });
});

describe('the status of tasks of this process', () => {
  const report = (incoming: number, outgoing: number) =>
    reportOf({ ...READINGS, state: INITIAL_STATE, description: 'Warm rooms', counts: { incoming, outgoing } }, 0);

  it('shows the description, what came in and went out, and the rates since the last reading', () => {
    const now = [report(30, 20)];
    expect(statusText(now, { now: 0, columns: 200 })).toMatch(
      / IN {2}OUT {2}WAITING[\s\S]* 30 {2}20 {3}7 [\s\S]*Warm: Warm rooms/,
    );
    const before = { at: 1_000, now: 3_000, reports: [report(10, 15)] };
    expect(statusText(now, { now: 0, columns: 200, before })).toMatch(/ IN\/S {2}OUT\/S [\s\S]* 10\.0 {2}2\.5 /);
  });
});

describe('the status of deployed tasks', () => {
  const deployed = (name: string) =>
    ({
      name,
      path: name,
      status: async () =>
        reportOf({ ...READINGS, task: name, state: { ...INITIAL_STATE, status: 'Running', since: 1 } }, 1),
    }) as unknown as CloudTask;
  const unknown = { incoming: undefined, outgoing: undefined };
  const plant = {
    tasks: async () => [deployed('Warm'), deployed('Cold')],
    retainedQueues: async () => [],
    readMetrics: async () => [
      {
        counts: { incoming: 30, outgoing: 20, seconds: 3600 },
        rates: { incoming: 0.25, outgoing: 0 },
        oldestSeconds: 41,
      },
      { counts: { ...unknown, seconds: 3600 }, rates: unknown, oldestSeconds: undefined },
    ],
    close() {},
  };

  it('shows what came in and went out in the last hour, the rates, the oldest age, and - for what is unknown', async () => {
    const { answer, failed } = await command(plant, ['status']);
    const cells = answer.split('\n').map((line) => line.trim().split(/ {2,}/));
    expect(failed).toBe(false);
    expect(cells[0]!.slice(3, 9)).toEqual(['IN', 'OUT', 'IN/S', 'OUT/S', 'WAITING', 'OLDEST']);
    expect(cells[1]!.slice(3, 9)).toEqual(['30', '20', '0.3', '0.0', '7', '41 s']);
    expect(cells[2]!.slice(3, 9)).toEqual(['-', '-', '-', '-', '7', '-']);
    expect(answer).toMatch(/IN and OUT: the last 60 min; .*-: CloudWatch has no value/);
  });

  it('has the numbers for programs', async () => {
    const reports: TaskReport[] = JSON.parse((await command(plant, ['status', '--json'])).answer);
    expect(reports.map(({ counts, oldestSeconds }) => [counts, oldestSeconds])).toEqual([
      [{ incoming: 30, outgoing: 20, seconds: 3600 }, 41],
      [{ seconds: 3600 }, undefined],
    ]);
  });
});

describe('waiting for a task', () => {
  const report = (state: TaskState, mappings = READINGS.mappings): TaskReport =>
    reportOf({ ...READINGS, state, mappings }, 99);
  const enable = { kind: 'enable' } as const;
  const pause = { kind: 'pause', stopIntake: false } as const;

  it('ignores an old failure, and reports a new one', () => {
    const before = report(stopped('gone', 10), ['Disabled', 'Disabled']);
    expect(progress(enable, before, before)).toBe('pending');
    expect(progress(enable, before, report(stopped('gone', 20)))).toBe('failed');
    expect(progress(enable, before, report(INITIAL_STATE))).toBe('reached');
    expect(progress(enable, before, report(INITIAL_STATE, ['Enabled', 'Enabling']))).toBe('pending');
  });

  it('ends for a pause when both mappings are disabled', () => {
    const paused: TaskState = { ...INITIAL_STATE, desired: 'Paused' };
    const before = report(INITIAL_STATE);
    expect(progress(pause, before, report(paused, ['Disabled', 'Disabling']))).toBe('pending');
    expect(progress(pause, before, report(paused, ['Disabled', 'Disabled']))).toBe('reached');
  });
});

describe('the output of a command', () => {
  it('wraps reasons in a terminal of any width, and leaves out none of a reason', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), fc.integer({ min: 1, max: 200 }), (reason, columns) => {
        const text = table(
          [
            ['TASK', 'REASON'],
            ['Warm', reason],
          ],
          columns,
        );
        const visible = (some: string) => printable(some.replaceAll('\n', '')).replaceAll(' ', '');
        expect(visible(text)).toBe(visible(`TASKREASONWarm${printable(reason)}`));
      }),
    );
    expect(
      table(
        [
          ['TASK', 'REASON'],
          ['Warm', 'one two three four five six seven eight'],
        ],
        32,
      ),
    ).toBe('TASK  REASON\nWarm  one two three four five\n      six seven eight');
  });

  it('has colours for states in a terminal that shows them, and none in a file', () => {
    const reports = [reportOf({ ...READINGS, state: stopped('gone') }, 0)];
    const text = (isColoured: boolean) => statusText(reports, { now: 0, columns: 200, isColoured });
    expect(text(true)).toContain('\x1b[31mStart Failed\x1b[39m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours
    expect(text(true).replace(/\x1b\[\d+m/g, '')).toBe(text(false));
    expect(showsColours({ isTTY: true }, {})).toBe(true);
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) expect(showsColours({ isTTY: true }, env)).toBe(false);
    expect(showsColours({}, {})).toBe(false);
  });
});

const unending = () => new Promise<never>(() => {});

/** A clock that jumps to the next time that somebody waits for, once nothing else happens. */
function jumpingClock(): WaitClock {
  let now = 0;
  let sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise<void>((wake) => {
        const sleeper = { at: now + ms, wake };
        const forget = () => {
          sleepers = sleepers.filter((one) => one !== sleeper);
        };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', forget);
        setImmediate(() => {
          const next = sleepers.sort((a, b) => a.at - b.at).shift();
          if (next === undefined) return;
          now = next.at;
          next.wake();
        });
      }),
  };
}

describe('the commands', () => {
  const requests: object[] = [];
  let state = stopped('stream gone');
  const warm = {
    name: 'Warm',
    path: 'Plant/Warm',
    hasWorker: true,
    filters: [],
    status: async () => reportOf({ ...READINGS, state }, Date.now()),
    async request(request: object) {
      requests.push(request);
      state = stopped('stream still gone', 11);
    },
    testConnectivity: async () => ({ ok: false, detail: 'stream gone' }),
  } as unknown as CloudTask;
  const cloud = {
    tasks: async () => [warm, { ...warm, path: 'Other/Warm' }],
    retainedQueues: async () => [],
    close() {},
  };

  it('start a task only when its sink answers', async () => {
    expect(await command(cloud, ['enable', 'Plant/Warm'])).toEqual({
      failed: true,
      answer: expect.stringMatching(/^Warm stays Start Failed: stream gone\./),
    });
    expect(requests).toEqual([]);
  });

  it('exit with 1 and the cause when a task cannot start', async () => {
    const { answer, failed } = await command(cloud, ['enable', 'Plant/Warm', '--no-test']);
    expect({ answer, failed }).toEqual({
      failed: true,
      answer: expect.stringMatching(/Start Failed .*: stream still gone/),
    });
    expect((await command(cloud, ['test-connectivity', 'Plant/Warm'])).failed).toBe(true);
    expect((await command(cloud, ['status', 'Plant/Warm'])).failed).toBe(true);
  });

  it.each([
    [
      'a start',
      {},
      /^Warm is Starting after 60\.0 s: AWS Lambda has not enabled .* \(Enabled, Enabling\)\. The request/,
    ],
    [
      'the sink',
      { testConnectivity: unending },
      /^Warm stays Starting: the connectivity test has not ended within 60 s/,
    ],
    ['a request', { request: unending }, /^Warm is Starting after 60\.0 s: .*The request stays in effect/],
  ] as const)('wait for %s for at most a minute, and give the cause', async (_, parts, why) => {
    const starting = reportOf({ ...READINGS, state: INITIAL_STATE, mappings: ['Enabled', 'Enabling'] }, 0);
    const task = {
      ...warm,
      status: async () => starting,
      request: async () => {},
      testConnectivity: async () => ({ ok: true, detail: 'fine' }),
      ...parts,
    } as unknown as CloudTask;
    const plant = { tasks: async () => [task], retainedQueues: async () => [], close() {} };
    const clock = jumpingClock();
    const { answer, failed } = await command(plant, ['enable', 'Warm'], { clock });
    expect({ failed, at: clock.now() }).toEqual({ failed: true, at: 60_000 });
    expect(answer).toMatch(why);
    const asJson = (await command(plant, ['enable', 'Warm', '--json'], { clock: jumpingClock() })).answer;
    expect(JSON.parse(asJson).cause).toMatch(/has not/);
  });

  it('skip the message that blocks a task, and no other', async () => {
    await expect(command(cloud, ['skip', 'Plant/Warm'])).rejects.toThrow('Warm is Start Failed; expected Ready');
    let blocked: TaskState = { ...INITIAL_STATE, halt: { why: 'blocked', cause: 'REJECTED: no', message: 'm1' } };
    const sent: object[] = [];
    const task = {
      ...warm,
      status: async () => reportOf({ ...READINGS, state: blocked }, Date.now()),
      async request(request: object) {
        sent.push(request);
        blocked = INITIAL_STATE;
      },
    } as unknown as CloudTask;
    const { answer, failed } = await command(
      { tasks: async () => [task], retainedQueues: async () => [], close() {} },
      ['skip', 'Warm'],
    );
    expect({ answer, failed, sent }).toEqual({
      failed: false,
      answer: expect.stringMatching(/Warm is Running. Message m1 goes to the dead-letter queue/),
      sent: [{ kind: 'skip', message: 'm1' }],
    });
  });

  it('test the connectivity of tasks that have a worker, unless a task is named', async () => {
    const ok = { ...warm, testConnectivity: async () => ({ ok: true, detail: 'fine' }) };
    const native = { ...warm, name: 'Native', path: 'Plant/Native', hasWorker: false };
    const both = { tasks: async () => [ok, native], retainedQueues: async () => [], close() {} };
    expect(await command(both, ['test-connectivity'])).toEqual({
      failed: false,
      answer: expect.not.stringContaining('Native'),
    });
    expect((await command(both, ['test-connectivity', 'Native'])).failed).toBe(true);
  });

  it('exit with 1 after a redrive that may have left dead letters', async () => {
    const other = { messageId: 'm', receiptHandle: 'r', body: '{}', attributes: {}, sentAt: 0 };
    const queue = { receive: async () => [other], release: async () => {}, extend: async () => {} };
    const task = { ...warm, rules: [], deadLetterQueue: async () => queue } as unknown as CloudTask;
    const words = ['redrive', 'Warm', '--filter', 'REJECTED'];
    expect(await command({ tasks: async () => [task], retainedQueues: async () => [], close() {} }, words)).toEqual({
      failed: true,
      answer: expect.stringContaining('There may be more'),
    });
  });

  it('ask for confirmation of a redrive without the permissions of the status', async () => {
    const questions: string[] = [];
    const task = { ...warm, status: () => Promise.reject(new Error('not allowed')), countDeadLetters: async () => 7 };
    const { failed } = await command(
      { tasks: async () => [task], retainedQueues: async () => [], close() {} },
      ['redrive', 'Warm'],
      {
        isInteractive: true,
        async confirm(question) {
          questions.push(question);
          return false;
        },
      },
    );
    expect({ failed, questions }).toEqual({ failed: true, questions: [expect.stringContaining('all 7 dead letters')] });
  });

  it('list the queues that tasks have left behind, and drain them by the code of a redrive', async () => {
    const old = { queueUrl: 'https://sqs/1/Plant-OldQueue-x', stack: 'Plant', task: 'Old', messages: 2 };
    const held = [envelope('a'), envelope('b'), { v: 7 }].map((body, n) => ({
      messageId: `m${n}`,
      receiptHandle: 'r',
      body: JSON.stringify(body),
      attributes: {},
      sentAt: 0,
    }));
    const stored: string[] = [];
    const queue = {
      receive: async () => (stored.length > 0 ? [] : held),
      release: async () => {},
      extend: async () => {},
      async redrive(some: readonly { messageId: string }[]) {
        stored.push(...some.map(({ messageId }) => messageId));
        return some.map(() => true);
      },
    };
    const opened: string[] = [];
    const task = {
      ...warm,
      stack: 'Plant',
      sink: 'kinesis',
      rules: ['another_rule'],
      async retainedQueue(url: string) {
        opened.push(url);
        return queue;
      },
    } as unknown as CloudTask;
    const plant = { tasks: async () => [task], retainedQueues: async () => [old], close() {} };
    expect((await command(plant, ['list'])).answer).toMatch(
      /outflow drain.*\n {2}https:\S+OldQueue-x {2}of Old in Plant, 2 messages/,
    );
    expect(JSON.parse((await command(plant, ['list', '--json'])).answer)).toContainEqual(
      expect.objectContaining({ retainedQueue: old.queueUrl, task: 'Old' }),
    );
    const { answer } = await command(plant, ['drain', '--queue', old.queueUrl, '--task', 'Warm', '--json']);
    expect(JSON.parse(answer)).toMatchObject({ redriven: { NONE: 2 }, skipped: { UNKNOWN: 1 }, failed: {} });
    expect({ opened, stored }).toEqual({ opened: [old.queueUrl], stored: ['m0', 'm1'] });
  });

  it.each([
    [['pause', 'Warm'], 'give the path of one: Plant/Warm, Other/Warm'],
    [['redrive', 'Plant/Warm', '--all', '--filter', 'EXPIRED'], '--all and --filter EXPIRED: expected one of them'],
    [['redrive', 'Plant/Warm', '--native', '--dry-run'], 'expected no --filter and no --dry-run'],
    [['redrive', 'Plant/Warm', '--filter', 'EXPIERD'], 'expected one of INVALID_PAYLOAD, '],
    [['dlq', 'Plant/Warm', '--code', 'expired'], 'expected one of INVALID_PAYLOAD, '],
    [['redrive', 'Plant/Warm', '--rate', '0.5'], 'expected a whole number of at least 1'],
  ])('%j is refused', (words, why) => expect(command(cloud, words)).rejects.toThrow(why));

  it('are typed as lines if tasks run in this process, one after the other; an error ends nothing', async () => {
    const printed: string[] = [];
    const terminal = {
      isInteractive: false,
      columns: 200,
      isColoured: false,
      print: (text: string) => printed.push(text),
      note: () => {},
      during: <Result>(_: () => string, work: Promise<Result>) => work,
      confirm: async () => false,
      clear() {},
      fail() {},
    };
    const input = new PassThrough();
    let now = 0;
    const clock = {
      now: () => now,
      async sleep(ms: number) {
        now += ms;
      },
    };
    const lines = readLines({ terminal, isInProcess: true, open: async () => cloud, clock }, input);
    input.write('status Cold\nnonsense\n\n');
    await new Promise(setImmediate);
    const watch = lines.type('status Plant/Warm --watch');
    await vi.waitUntil(() => printed.some((text) => text.includes('Start Failed')));
    await lines.type('pause Plant/Warm --timeout 1 --stop-intake');
    await watch;
    lines.close();
    expect(printed.join('\n')).toMatch(
      /no task Cold[\s\S]*unknown command 'nonsense'[\s\S]*The request stays in effect/,
    );
    expect(requests.at(-1)).toEqual({ kind: 'pause', stopIntake: true });
  });
});

import type { SQSRecord } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { awsPorts, type Clients } from '../../lambdas/control/aws-ports.ts';
import { controlFunction } from '../../lambdas/control/control-function.ts';
import { INITIAL_STATE, type TaskState, UNWRITTEN_STATE } from '../../lambdas/core/task-state.ts';
import { embeddedMetrics } from '../support/embedded-metrics.ts';

const NOW = 1_795_251_600_000;
const STATE = JSON.stringify({ v: 1 });

/** Makes clients that record their calls. `answer` answers or refuses each call by its name and input. */
function clientsThat(answer: (call: string, input: Record<string, unknown>) => object) {
  const calls: string[] = [];
  const client = {
    async send(command: { input: Record<string, unknown> }) {
      const { input } = command;
      const call = command.constructor.name.replace('Command', '');
      calls.push(
        `${call} ${input['Name'] ?? input['Names'] ?? input['ReceiptHandle'] ?? input['UUID'] ?? input['MessageGroupId']}`,
      );
      return answer(call, input);
    },
  };
  return { calls, clients: { lambda: client, sqs: client, ssm: client, iot: client } as unknown as Clients };
}

function refused(name: string): never {
  throw Object.assign(new Error(name), { name });
}

function record(messageId: string, message: object | string, sentAt = NOW): SQSRecord {
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  return { messageId, receiptHandle: messageId, body, attributes: { SentTimestamp: String(sentAt) } } as SQSRecord;
}

const PARTS = JSON.stringify({ mappings: [], state: 'SB', rules: [] });

/** Passes records to the control function of a stack with two tasks. The configuration of task A cannot be read. */
async function carriedOut(...Records: SQSRecord[]) {
  const { calls, clients } = clientsThat((call, { Names }) => {
    if (call === 'GetParameters' && String(Names) === 'PA') refused('ThrottlingException');
    if (call === 'GetParameters') return { Parameters: [{ Name: 'PB', Value: PARTS }] };
    return call === 'GetParameter' ? { Parameter: { Value: STATE } } : {};
  });
  const options = { tasks: { A: 'PA', B: 'PB' }, stack: 'S', queueUrl: 'q', clients, log: () => {}, now: () => NOW };
  const { batchItemFailures } = await controlFunction(options)({ Records });
  return { failed: batchItemFailures.map(({ itemIdentifier }) => itemIdentifier), calls };
}

describe('the control function', () => {
  it('holds back requests behind a failed one of the same task only, and gets them redelivered within seconds', async () => {
    const { failed, calls } = await carriedOut(
      record('1', { kind: 'enable', task: 'A' }),
      record('2', { kind: 'pause', task: 'B' }),
      record('3', { kind: 'pause', task: 'A' }),
    );
    expect(failed).toEqual(['1', '3']);
    expect(calls.filter((call) => call.startsWith('ChangeMessageVisibility'))).toHaveLength(2);
    expect(calls).toContain('PutParameter SB');
    expect(calls.filter((call) => call.endsWith('PA'))).toHaveLength(1);
  });

  it('drops failed and outdated reconciliations, and messages that cannot be parsed', async () => {
    const reconciliation = { kind: 'reconcile', task: 'B' };
    expect(await carriedOut(record('1', { kind: 'reconcile', task: 'A' }))).toMatchObject({ failed: [] });
    expect(await carriedOut(record('1', reconciliation, NOW - 60_001))).toEqual({ failed: [], calls: [] });
    expect((await carriedOut(record('1', reconciliation, NOW - 60_000))).calls).toContain('GetParameter SB:written');
    expect((await carriedOut(record('1', '{'), record('2', reconciliation))).failed).toEqual([]);
  });

  it('drops reports that have waited a minute, so that an operator does not wait behind them', async () => {
    const halt = { kind: 'halt', task: 'B', why: 'stopped', cause: 'gone', at: NOW - 61_000 };
    expect(await carriedOut(record('1', halt, NOW - 60_001))).toEqual({ failed: [], calls: [] });
  });
});

describe('the cost of control', () => {
  const SETTLED = { v: 1, status: 'Running', since: NOW - 3_600_000 };

  /** A stack of tasks with two mappings each, by the JSON of their states. Counts calls by name. */
  function stackOf(states: readonly object[], mappingState = 'Enabled') {
    const tasks = Object.fromEntries(states.map((_, n) => [`T${n}`, `P${n}`]));
    const texts = new Map(
      states.flatMap((state, n) => [
        [`P${n}`, JSON.stringify({ mappings: [`M${n}`, `R${n}`], state: `S${n}`, rules: [], worker: 'w' })],
        [`S${n}`, JSON.stringify(state)],
      ]),
    );
    const bodies: string[] = [];
    const nameOf = (name: string) => name.replace(/:written$/, '');
    const { calls, clients } = clientsThat((call, { Name, Names, Value, MessageBody }) => {
      if (call === 'SendMessage') bodies.push(MessageBody as string);
      if (call === 'PutParameter') texts.set(Name as string, Value as string);
      if (call === 'GetParameter') return { Parameter: { Value: texts.get(nameOf(Name as string)) } };
      if (call === 'GetParameters')
        return { Parameters: (Names as string[]).map(nameOf).map((name) => ({ Name: name, Value: texts.get(name) })) };
      return call === 'GetEventSourceMapping' ? { State: mappingState } : {};
    });
    let now = NOW;
    const waits: number[] = [];
    const wait = async (ms: number) => waits.push(ms);
    const handler = controlFunction({ tasks, stack: 'S', queueUrl: 'q', clients, log() {}, now: () => now, wait });
    const counted = () => {
      const counts: Record<string, number> = {};
      for (const call of calls.splice(0)) counts[call.split(' ')[0]!] = (counts[call.split(' ')[0]!] ?? 0) + 1;
      return counts;
    };
    return {
      waits,
      /** A minute: the schedule, then the messages that it has queued. @returns the calls of both. */
      async minute() {
        await handler({});
        const tick = counted();
        for (const [n, body] of bodies.splice(0).entries()) await handler({ Records: [record(String(n), body, now)] });
        now += 60_000;
        return { tick, looks: counted() };
      },
      async send(message: object) {
        await handler({ Records: [record('1', message, now)] });
        return counted();
      },
    };
  }

  it('looks at twenty settled tasks in turn, every five minutes, and changes nothing', async () => {
    const stack = stackOf(Array(20).fill(SETTLED));
    const minutes = [];
    for (let n = 0; n < 5; n++) minutes.push(await stack.minute());
    expect(minutes[0]!.tick).toEqual({ GetParameters: 4, SendMessage: 4 });
    expect(minutes[1]!.tick).toEqual({ GetParameters: 2, SendMessage: 4 });
    for (const { looks } of minutes) expect(looks).toEqual({ GetParameter: 4, GetEventSourceMapping: 8 });
  });

  it('looks each minute at a task that changes or cannot continue, one after the other', async () => {
    const halt = { why: 'blocked', cause: 'REJECTED' };
    const unsettled = [{ ...SETTLED, status: 'Ready', halt }, { ...SETTLED, since: NOW }, { v: 1 }];
    const stack = stackOf(unsettled, 'Enabling');
    for (let n = 0; n < 2; n++) expect((await stack.minute()).tick['SendMessage']).toBe(3);
    expect(stack.waits).toHaveLength(4);
    expect(Math.min(...stack.waits)).toBeGreaterThanOrEqual(200);
  });

  it('reads the state once for a repeated report, and writes nothing', async () => {
    const stack = stackOf([SETTLED]);
    const halt = { kind: 'halt', task: 'T0', why: 'stopped', cause: 'gone', at: NOW };
    expect(await stack.send(halt)).toMatchObject({ PutParameter: 2, UpdateEventSourceMapping: 2 });
    expect(await stack.send({ ...halt, cause: 'gone again', at: NOW + 1 })).toEqual({ GetParameter: 1 });
  });
});

/** Parameters of AWS Systems Manager: versions of a value, and labels that each select one. */
function parameterStore() {
  const versions: string[] = [];
  const labels = new Map<string, number>();
  const write = (value: string) => versions.push(value);
  const { clients } = clientsThat((call, { Name, Value, ParameterVersion, Labels }) => {
    if (call === 'PutParameter') return { Version: write(Value as string) };
    if (call === 'LabelParameterVersion') {
      for (const label of Labels as string[]) labels.set(label, ParameterVersion as number);
      return {};
    }
    const [, selector] = (Name as string).split(':');
    const version = selector === undefined ? versions.length : labels.get(selector);
    return version === undefined
      ? refused('ParameterVersionNotFound')
      : { Parameter: { Value: versions[version - 1] } };
  });
  return { clients, write };
}

describe('a control message of a worker', () => {
  const workers = { A: 'AROAAAAAAAAAAAAAAAAAA', B: 'AROABBBBBBBBBBBBBBBBB', B2: 'AROABBBBBBBBBBBBBBBBB' };
  const halt = (task: string) => ({ kind: 'halt', task, why: 'stopped', cause: 'x', at: NOW });
  const isCarriedOut = async (message: { task: string }, SenderId: string | undefined) => {
    const configuration = JSON.stringify({ mappings: [], state: 'S', rules: [], worker: 'w' });
    const { calls, clients } = clientsThat((call) => {
      if (call === 'GetParameters') return { Parameters: [{ Name: `P${message.task}`, Value: configuration }] };
      return call === 'GetParameter' ? { Parameter: { Value: STATE } } : {};
    });
    const sent = record('1', message);
    const from = {
      ...sent,
      attributes: { ...sent.attributes, ...(SenderId !== undefined && { SenderId }) },
    } as SQSRecord;
    const tasks = { A: 'PA', B: 'PB', B2: 'PB2' };
    await controlFunction({ tasks, workers, stack: 'S', queueUrl: 'q', clients, log: () => {}, now: () => NOW })({
      Records: [from],
    });
    return calls.length > 0;
  };
  const [a, b] = [`${workers.A}:function-a`, `${workers.B}:function-b`];
  const pause = { kind: 'pause', task: 'A' };

  it.each<[string, { task: string }, string | undefined, boolean]>([
    ['reports that its own task cannot continue', halt('A'), a, true],
    ['reports of no other task', halt('B'), a, false],
    ['pauses not even its own task', pause, a, false],
    ['with the role of two tasks reports of both', halt('B2'), b, true],
    ['differs from an operator', pause, 'AROAOPERATOR:somebody', true],
    ['of an emulator has no sender id', halt('A'), undefined, true],
  ])('%s', async (_, message, sender, expected) => expect(await isCarriedOut(message, sender)).toBe(expected));
});

describe('the metrics of the control function', () => {
  const lineOf = async (halt: TaskState['halt']) => {
    const state = JSON.stringify({ ...INITIAL_STATE, halt });
    const configuration = JSON.stringify({ mappings: [], state: 'SB', rules: [], worker: 'w' });
    const { clients } = clientsThat((call) => {
      if (call === 'GetParameters') return { Parameters: [{ Name: 'PB', Value: configuration }] };
      return call === 'GetParameter' ? { Parameter: { Value: state } } : {};
    });
    const lines: string[] = [];
    const log = (entry: object) => void lines.push(JSON.stringify(entry));
    const options = { tasks: { B: 'PB' }, stack: 'S', queueUrl: 'q', clients, log, now: () => NOW };
    await controlFunction(options)({ Records: [record('1', { kind: 'reconcile', task: 'B' })] });
    return lines.map(embeddedMetrics).filter((metrics) => metrics !== undefined);
  };

  it.each([
    ['stopped', 'CircuitOpen'],
    ['blocked', 'Blocked'],
  ] as const)('are 1 for a task that is %s', async (why, name) => {
    const dimensions = { Stack: 'S', Task: 'B' };
    expect(await lineOf({ why, cause: 'x' })).toEqual([{ namespace: 'Outflow', dimensions, values: { [name]: 1 } }]);
  });

  it('are absent for a task that runs', async () => expect(await lineOf(undefined)).toEqual([]));
});

describe('the state of a task on AWS', () => {
  it('outlasts deployments that write the value of the template again, such as for a tag of the stack', async () => {
    const { clients, write } = parameterStore();
    const ports = awsPorts({ mappings: [], state: 's', rules: [], worker: 'w' }, clients);
    const deploy = () => write(UNWRITTEN_STATE);
    deploy();
    expect(await ports.readState()).toEqual(INITIAL_STATE);
    const paused = { ...INITIAL_STATE, desired: 'Paused' as const };
    await ports.writeState(paused);
    deploy();
    expect(await ports.readState()).toEqual(paused);
    await ports.writeState(INITIAL_STATE);
    deploy();
    deploy();
    expect(await ports.readState()).toEqual(INITIAL_STATE);
  });

  it('is the pause of a task that is deployed with enabled: false, until it is written', async () => {
    const { clients, write } = parameterStore();
    const ports = awsPorts({ mappings: [], state: 's', rules: [], worker: 'w', enabled: false }, clients);
    write(UNWRITTEN_STATE);
    expect((await ports.readState()).desired).toBe('Paused');
  });
});

describe('event source mappings on AWS', () => {
  const task = { mappings: ['m'], state: 's', rules: [], worker: 'w' };
  const setMappings = (refusal: string) => {
    const { clients } = clientsThat(() => refused(refusal));
    return awsPorts(task, clients, async () => {}).setMappings(true);
  };

  it('are left to the next reconciliation while they are changing', async () => {
    await expect(setMappings('ResourceInUseException')).resolves.toBeUndefined();
    await expect(setMappings('TooManyRequestsException')).rejects.toThrow('TooManyRequestsException');
  });
});

describe('the intake of a task', () => {
  it('is stopped and started by the rules and by the parameters of its sources, which are written when they change', async () => {
    const texts = new Map([['Intake', 'on']]);
    const { calls, clients } = clientsThat((call, { Name, Value }) => {
      if (call === 'PutParameter') texts.set(Name as string, Value as string);
      return call === 'GetParameter' ? { Parameter: { Value: texts.get(Name as string) } } : {};
    });
    const task = { mappings: [], state: 's', rules: ['r'], sources: ['Intake'], worker: 'w' };
    const { setIntake } = awsPorts(task, clients);
    const written = () => calls.splice(0).filter((call) => !call.startsWith('Get'));
    await setIntake(false);
    expect([written(), texts.get('Intake')]).toEqual([
      ['DisableTopicRule undefined', 'PutParameter Intake'],
      'stopped',
    ]);
    await setIntake(false);
    expect(written()).toEqual(['DisableTopicRule undefined']);
    await setIntake(true);
    expect([written(), texts.get('Intake')]).toEqual([['EnableTopicRule undefined', 'PutParameter Intake'], 'on']);
  });
});

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
      calls.push(`${call} ${input['Name'] ?? input['ReceiptHandle'] ?? input['UUID']}`);
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

/** Passes records to the control function of a stack with two tasks. The configuration of task A cannot be read. */
async function carriedOut(...Records: SQSRecord[]) {
  const { calls, clients } = clientsThat((call, { Name }) => {
    if (Name === 'PA') refused('ParameterNotFound');
    if (call !== 'GetParameter') return {};
    return { Parameter: { Value: Name === 'PB' ? JSON.stringify({ mappings: [], state: 'SB', rules: [] }) : STATE } };
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

describe('the metrics of the control function', () => {
  const lineOf = async (halt: TaskState['halt']) => {
    const state = JSON.stringify({ ...INITIAL_STATE, halt });
    const configuration = JSON.stringify({ mappings: [], state: 'SB', rules: [], worker: 'w' });
    const { clients } = clientsThat((call, { Name }) =>
      call === 'GetParameter' ? { Parameter: { Value: Name === 'PB' ? configuration : state } } : {},
    );
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

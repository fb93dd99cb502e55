import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { App, Duration, Stack } from 'aws-cdk-lib';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, type TestContext, vi } from 'vitest';
import { IotTopicSource, KinesisSink, OutflowTask, type OutflowTaskProps, RetryPolicy } from '../../lib/index.ts';
import { type Stack as ReadStack, readAssembly } from '../../localstack/one-process/assembly.ts';
import type { LocalKinesis } from '../../localstack/one-process/kinesis.ts';
import type { RunningTask } from '../../localstack/one-process/task.ts';
import { faultProxyHome, isInstalled } from '../../localstack/servers/fault-proxy/install.mjs';
import { type FaultProxy, startFaultProxy } from '../../localstack/servers/fault-proxy/start.ts';
import { isBalanced } from '../soak/ledger.ts';
import { held, type RigOptions, redrive, shorten, startRig } from '../soak/rig.ts';
import { soak } from '../soak/soak.ts';
import { readRecords } from '../support/kinesis.ts';

/** A deferred record is redelivered after a minute. */
const PATIENCE = { timeout: 100_000, interval: 50 };
const STREAM = 'out';

const everySecond = (times: number) => RetryPolicy.custom({ steps: [{ times, delay: Duration.seconds(1) }] });

/** One task per stack, named after the option in which it differs. */
const TASKS: Readonly<Record<string, Partial<OutflowTaskProps>>> = {
  Patient: { retryPolicy: everySecond(30) },
  Brief: { retryPolicy: everySecond(2) },
  Prohibited: { retryPolicy: everySecond(1), faultTolerance: 'prohibited' },
  OneByOne: {
    retryPolicy: everySecond(30),
    batchPush: { messages: 100, interval: Duration.seconds(1) },
    sink: new KinesisSink(STREAM, { partitionKey: '${topic}', payload: '${payload}', maxRecords: 1 }),
  },
};

describe.skipIf(!isInstalled(faultProxyHome))('a task under faults', { concurrent: true }, () => {
  let proxy: FaultProxy;
  let stacks: ReadStack[];
  beforeAll(async () => {
    proxy = await startFaultProxy({ home: faultProxyHome });
    const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-')) });
    for (const [name, props] of Object.entries(TASKS)) {
      const task = new OutflowTask(new Stack(app, name), name, {
        source: new IotTopicSource('#'),
        sink: new KinesisSink(STREAM, { partitionKey: '${topic}', payload: '${payload}' }),
        ...props,
      });
      shorten(task, { timeoutSeconds: 30 });
    }
    stacks = readAssembly(app.synth().directory);
  });
  afterAll(() => proxy?.close());

  /** Starts a task by its name, with its stream unless `hasStream` is false, and a client that publishes to it. */
  async function start(
    { onTestFinished }: TestContext,
    name: string,
    { hasStream = true, ...options }: RigOptions & { hasStream?: boolean } = {},
  ) {
    const rig = await startRig(
      stacks.filter((stack) => stack.name === name),
      { proxy, ...options },
    );
    onTestFinished(() => rig.close());
    if (hasStream) await rig.kinesis.createStream(STREAM);
    const client = await mqtt.connectAsync(rig.running.broker.url, { clientId: 'device', protocolVersion: 5 });
    onTestFinished(() => client.endAsync());
    const task = rig.task(name);
    return {
      rig,
      task,
      publish: (texts: readonly string[], topic = 'a') =>
        Promise.all(texts.map((text) => client.publishAsync(topic, text, { qos: 1 }))),
      arrived: async () => (await readRecords(rig.kinesis, STREAM)).map(({ data }) => data.toString()),
      /** Resolves when the buffers are empty. */
      drained: () => vi.waitUntil(() => held(task.queue!) + held(task.retryQueue!) === 0, PATIENCE),
      dlqMessages: () => dlqMessagesOf(task),
    };
  }

  it('retries by its policy while its sink is down, and delivers once the sink is up (F01)', async (test) => {
    const { rig, task, publish, arrived, drained, dlqMessages } = await start(test, 'Patient');
    await rig.link.down();
    const sent = texts(50);
    await publish(sent);
    await vi.waitUntil(() => task.counters.retried >= 2 * sent.length, PATIENCE);
    expect(await arrived()).toEqual([]);
    await rig.link.up();
    await drained();
    expect((await arrived()).sort()).toEqual(sent.toSorted());
    expect(dlqMessages()).toEqual([]);
  });

  it('owes only unacknowledged records when its sink goes down amid a batch (F02)', async (test) => {
    const { rig, task, publish, arrived, drained, dlqMessages } = await start(test, 'OneByOne');
    // 100 messages, four at a time, take 12 s, so most are owed when the link goes down.
    await rig.link.add({ type: 'latency', latencyMs: 500 });
    const sent = texts(100);
    await publish(sent);
    await vi.waitUntil(async () => (await arrived()).length > 10, PATIENCE);
    await rig.link.down();
    await vi.waitUntil(() => task.counters.retried > 0, PATIENCE);
    expect(task.counters.outgoing).toBeGreaterThan(0);
    await rig.link.clear();
    await rig.link.up();
    await drained();
    const all = await arrived();
    expect(new Set(all)).toEqual(new Set(sent));
    // The answers to at most four calls were lost.
    expect(all.length - sent.length).toBeLessThanOrEqual(4);
    expect(dlqMessages()).toEqual([]);
  });

  it('dead-letters a message with all ten attributes when its sink stays down', async (test) => {
    const { rig, publish, drained, dlqMessages, task } = await start(test, 'Brief');
    await rig.link.down();
    await publish(['lost to the sink']);
    await drained();
    expect(dlqMessages()).toEqual([
      {
        payload: 'lost to the sink',
        attributes: {
          ERROR_CODE: 'RETRIES_EXHAUSTED',
          ERROR_MESSAGE: expect.stringContaining('ECONNREFUSED'),
          EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts',
          RETRY_ATTEMPTS: '2',
          RULE_ARN: expect.stringMatching(/^arn:aws:iot:us-east-1:\d{12}:rule\/Brief_BriefRule/),
          TARGET_ARN: expect.stringMatching(/^arn:aws:kinesis:us-east-1:\d{12}:stream\/out$/),
          STAGE: 'deliver',
          TASK: 'Brief',
          MESSAGE_ID: expect.stringMatching(/^[\da-f-]{36}$/),
          FIRST_SEEN: expect.stringMatching(/^\d{13}$/),
        },
      },
    ]);
    expect(task.counters).toMatchObject({ retried: 2, deadLettered: 1, outgoing: 0 });
  });

  it.for(['throwsFirst', 'throwsLast', 'hangsLast'] as const)(
    'receives messages again after a function %s, and loses none (F15)',
    async (how, test) => {
      const { rig, publish, arrived, drained, dlqMessages } = await start(test, 'Patient');
      let crashes = 0;
      rig.crash = () => (crashes++ === 0 ? how : undefined);
      const sent = texts(5);
      await publish(sent);
      await drained();
      const all = await arrived();
      expect(new Set(all)).toEqual(new Set(sent));
      expect(all.length - sent.length).toBeLessThanOrEqual(how === 'throwsFirst' ? 0 : sent.length);
      expect(dlqMessages()).toEqual([]);
      expect(crashes).toBeGreaterThan(1);
    },
  );

  it('defers records for which it has no time left, which is no attempt (F16)', async (test) => {
    const { rig, task, publish, arrived, drained, dlqMessages } = await start(test, 'OneByOne');
    await rig.link.add({ type: 'timeout', timeoutMs: 0, direction: 'upstream' });
    const sent = texts(20);
    await publish(sent);
    await vi.waitUntil(() => task.counters.parked > 0, PATIENCE);
    const attempts = task.retryQueue!.peek().map(({ attributes }) => attributes!['ATTEMPT']!.stringValue);
    expect(attempts.filter((attempt) => attempt === '0')).toHaveLength(task.counters.parked);
    expect(attempts.filter((attempt) => attempt === '1')).toHaveLength(task.counters.retried);
    expect(rig.errors).toEqual([]);
    await rig.link.clear();
    await drained();
    expect(new Set(await arrived())).toEqual(new Set(sent));
    expect(dlqMessages()).toEqual([]);
  });

  it('delivers other keys while a hot key is throttled (F28)', async (test) => {
    const hotPerCall = 1;
    const { task, publish, arrived, drained, dlqMessages } = await start(test, 'Patient', {
      before: (kinesis) => throttlingHotKey(test, kinesis, hotPerCall),
    });
    const hot = texts(90);
    const cold = texts(10, 'cold');
    await publish(hot, 'hot');
    await publish(cold, 'cold');
    const waiting = () =>
      task.retryQueue!.peek().map(({ body }) => Buffer.from(JSON.parse(body).payload, 'base64').toString());
    await vi.waitUntil(async () => {
      expect(waiting().filter((text) => cold.includes(text))).toEqual([]);
      return (await arrived()).filter((text) => cold.includes(text)).length === cold.length;
    }, PATIENCE);
    expect(waiting().length).toBeGreaterThan(0);
    await drained();
    expect((await arrived()).sort()).toEqual([...hot, ...cold].sort());
    expect(dlqMessages()).toEqual([]);
  });

  it('treats redriven dead letters as new messages, each time (F29)', async (test) => {
    const { rig, publish, arrived, drained, dlqMessages, task } = await start(test, 'Brief');
    await rig.link.down();
    await publish(['again']);
    await drained();
    const [first] = dlqMessages();
    expect(redrive(task)).toBe(1);
    await drained();
    const [second] = dlqMessages();
    expect(second!.attributes).toMatchObject({ ERROR_CODE: 'RETRIES_EXHAUSTED', RETRY_ATTEMPTS: '2' });
    expect(Number(second!.attributes['FIRST_SEEN'])).toBeGreaterThan(Number(first!.attributes['FIRST_SEEN']));
    expect(second!.attributes['MESSAGE_ID']).toBe(first!.attributes['MESSAGE_ID']);
    expect(await arrived()).toEqual([]);
    await rig.link.up();
    expect(redrive(task)).toBe(1);
    expect(redrive(task)).toBe(0);
    await drained();
    expect(await arrived()).toEqual(['again']);
    expect(dlqMessages()).toEqual([]);
  });

  it('keeps a message that its dead-letter queue refuses (F30)', async (test) => {
    const { rig, publish, dlqMessages, task } = await start(test, 'Brief');
    await rig.link.down();
    rig.refuses = (queueUrl) => queueUrl === task.deadLetterQueue!.url;
    await publish(['nowhere to go']);
    await vi.waitUntil(() => task.counters.parked > 0, PATIENCE);
    expect(dlqMessages()).toEqual([]);
    expect(held(task.queue!) + held(task.retryQueue!)).toBe(1);
    expect(rig.errors.map(({ message }) => message)).toContainEqual(expect.stringContaining('dead letter not stored'));
    // If the retry queue refuses the message too, it stays in its queue.
    rig.refuses = () => true;
    const { failed } = task.counters;
    await publish(['nowhere at all']);
    await vi.waitUntil(() => task.counters.failed > failed, PATIENCE);
    expect(held(task.queue!) + held(task.retryQueue!)).toBe(2);
  });

  it('stops with its cause if faults are prohibited, and continues when enabled (F33)', async (test) => {
    const { rig, publish, arrived, drained, dlqMessages, task } = await start(test, 'Prohibited');
    await rig.link.down();
    await publish(['blocks']);
    await vi.waitUntil(() => task.control!.state.status === 'Ready', PATIENCE);
    expect(task.control!.state.cause).toMatch(/^RETRIES_EXHAUSTED: .*ECONNREFUSED/);
    await rig.link.up();
    await publish(texts(20));
    expect(task.queue!.counts).toMatchObject({ visible: 20 });
    expect(await arrived()).toEqual([]);
    // The task stays stopped until an operator enables it, although its sink is up.
    await task.control!.send({ kind: 'reconcile', task: task.name });
    expect(task.control!.state.status).toBe('Ready');
    await task.control!.send({ kind: 'enable', task: task.name });
    await drained();
    expect((await arrived()).sort()).toEqual(['blocks', ...texts(20)].sort());
    expect(dlqMessages()).toEqual([]);
    expect(task.control!.state.status).toBe('Running');
  });

  it('pauses and resumes under traffic without a lost message or a duplicate (F34)', async (test) => {
    const { publish, arrived, drained, task } = await start(test, 'Patient');
    const sent: string[] = [];
    let isOver = false;
    const publishing = (async () => {
      for (let n = 0; !isOver; n++) {
        const text = `message ${n}`;
        sent.push(text);
        await publish([text]);
        // The rate is low because reading the emulated stream costs more the longer it is.
        await sleep(10);
      }
    })();
    for (let n = 0; n < 5; n++) {
      await task.control!.send({ kind: 'pause', task: task.name, stopIntake: false });
      expect(task.control!.state.status).toBe('Paused');
      await Promise.all(task.mappings.map((mapping) => mapping.disable()));
      const { length } = await arrived();
      await publish([`paused ${n}`]);
      expect(task.queue!.counts.visible).toBeGreaterThan(0);
      expect(await arrived()).toHaveLength(length);
      await task.control!.send({ kind: 'enable', task: task.name });
      await vi.waitUntil(async () => (await arrived()).length > length, PATIENCE);
    }
    isOver = true;
    await publishing;
    await drained();
    expect((await arrived()).sort()).toEqual([...sent, ...Array.from({ length: 5 }, (_, n) => `paused ${n}`)].sort());
  });

  it('keeps its backlog without dead letters while its stream is missing, and continues by itself', async (test) => {
    const { rig, publish, arrived, drained, dlqMessages, task } = await start(test, 'Brief', { hasStream: false });
    const sent = texts(40);
    await publish(sent.slice(0, 20));
    await vi.waitUntil(() => task.control!.state.status === 'Start Failed', PATIENCE);
    expect(task.control!.state.cause).toContain('ResourceNotFoundException');
    await publish(sent.slice(20));
    expect(held(task.queue!) + held(task.retryQueue!)).toBe(sent.length);
    expect(dlqMessages()).toEqual([]);
    await rig.kinesis.createStream(STREAM);
    await drained();
    expect(task.control!.state.status).toBe('Running');
    expect((await arrived()).sort()).toEqual(sent.toSorted());
    expect(dlqMessages()).toEqual([]);
  });
});

// In sequence: on a busy machine, other faults than the seed's would occur.
describe.skipIf(!isInstalled(faultProxyHome))('tasks under random faults', () => {
  it('accounts for every message in two minutes of faults (F40)', {
    timeout: 8 * 60_000,
  }, async () => {
    const balances = await soak({ minutes: 2, seed: 40 });
    expect(balances.filter((balance) => !isBalanced(balance))).toEqual([]);
    for (const { accepted, delivered } of balances) expect(delivered).toBeGreaterThan(accepted / 3);
  });
});

function texts(count: number, name = 'message'): string[] {
  return Array.from({ length: count }, (_, n) => `${name} ${n}`);
}

function dlqMessagesOf({ deadLetterQueue }: RunningTask) {
  return deadLetterQueue!.peek().map(({ body, attributes = {} }) => ({
    payload: Buffer.from(JSON.parse(body).payload, 'base64').toString(),
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, { stringValue }]) => [name, stringValue])),
  }));
}

/** Throttles the key `hot` in front of the emulator, which never throttles: at most `hotPerCall` records a call. */
async function throttlingHotKey(
  { onTestFinished }: TestContext,
  { endpointUrl }: LocalKinesis,
  hotPerCall: number,
): Promise<string> {
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const input = JSON.parse(body.toString());
    const isPut = String(request.headers['x-amz-target']).endsWith('.PutRecords');
    let hot = 0;
    const taken: boolean[] = isPut
      ? input.Records.map(({ PartitionKey }: { PartitionKey: string }) => PartitionKey !== 'hot' || ++hot <= hotPerCall)
      : [];
    if (isPut) input.Records = input.Records.filter((_: unknown, i: number) => taken[i]);
    const answer = await fetch(endpointUrl, {
      method: 'POST',
      headers: Object.fromEntries(
        ['authorization', 'content-type', 'x-amz-target', 'x-amz-date'].map((name) => [
          name,
          `${request.headers[name]}`,
        ]),
      ),
      body: JSON.stringify(input),
    });
    const output = JSON.parse(await answer.text());
    if (isPut && answer.ok) {
      const stored = output.Records.values();
      output.Records = taken.map((isTaken) =>
        isTaken
          ? stored.next().value
          : { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'slow down' },
      );
      output.FailedRecordCount = taken.filter((isTaken) => !isTaken).length;
    }
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type')! });
    response.end(JSON.stringify(output));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

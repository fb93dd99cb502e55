import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteStreamCommand, ListStreamsCommand } from '@aws-sdk/client-kinesis';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { localCloud } from '../../bin/cloud/local.ts';
import { pendingText } from '../../bin/commands/screen.ts';
import { IotTopicSource, KinesisSink, OutflowTask, StreamBuffer } from '../../lib/index.ts';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import { type Run, run } from '../../localstack/one-process/run.ts';
import { readRecords } from '../support/kinesis.ts';
import { envelope } from '../support/messages.ts';
import { type CloudUnderTest, cloudContract, command } from './contract.ts';

const STREAM = 'Numbers';
const PATIENCE = { timeout: 20_000, interval: 50 };

describe('the tasks of this process', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'outflow-cloud-'));
  let running: Run;
  let stacks: ReturnType<typeof readAssembly>;
  let device: mqtt.MqttClient;
  let under: CloudUnderTest;

  beforeAll(async () => {
    const app = new App({ outdir });
    const stack = new Stack(app, 'Tasks');
    new OutflowTask(stack, 'Warm', {
      source: new IotTopicSource('devices/+/telemetry'),
      filter: { data: { body: { temp: [{ numeric: ['>', 20] }] } } },
      sink: new KinesisSink(new Stream(stack, 'Stream', { streamName: STREAM }), {
        partitionKey: 'key',
        payload: '{"n":${payload.n}}',
      }),
    });
    new OutflowTask(stack, 'Ordered', {
      source: new IotTopicSource('ordered'),
      buffer: new StreamBuffer(),
      requestTtl: Duration.minutes(1),
      sink: new KinesisSink(new Stream(stack, 'Second', { streamName: 'Second' }), {
        partitionKey: '${clientid}',
        payload: '${payload}',
      }),
    });
    new OutflowTask(stack, 'Careful', {
      source: new IotTopicSource('careful'),
      buffer: new StreamBuffer(),
      faultTolerance: 'prohibited',
      poison: 'block',
      sink: new KinesisSink(new Stream(stack, 'Third', { streamName: 'Third' }), {
        partitionKey: '${clientid}',
        payload: '${payload.n}',
      }),
    });
    stacks = readAssembly(app.synth().directory);
    running = await run(stacks, { reconcileEveryMs: 200, onError() {} });
    device = await mqtt.connectAsync(running.broker.url, { clientId: 'd1' });
    const { kinesis, tasks } = running;
    const deadLetters = () => tasks[0]!.deadLetterQueue!;
    under = {
      cloud: localCloud(running, stacks, (note) => {
        throw new Error(note);
      }),
      publish: (payload) => device.publishAsync('devices/d1/telemetry', payload, { qos: 1 }),
      async delivered() {
        return (await readRecords(kinesis, STREAM)).map(({ data }) => JSON.parse(data.toString()).n);
      },
      async deleteStream() {
        await kinesis.client.send(new DeleteStreamCommand({ StreamName: STREAM }));
        await vi.waitUntil(
          async () => (await kinesis.client.send(new ListStreamsCommand({}))).StreamNames?.includes(STREAM) === false,
          PATIENCE,
        );
      },
      createStream: () => kinesis.createStream(STREAM),
      async sendDeadLetter(body, attributes) {
        const typed = Object.entries(attributes).map(([name, stringValue]) => {
          return [name, { dataType: 'String', stringValue }] as const;
        });
        deadLetters().send({ body, attributes: Object.fromEntries(typed) });
      },
      async purgeDeadLetters() {
        for (const { receiptHandle } of deadLetters().receive(1_000)) deadLetters().delete(receiptHandle);
      },
    };
  }, 60_000);

  afterAll(async () => {
    await device?.endAsync();
    await running?.close();
    rmSync(outdir, { recursive: true });
  });

  cloudContract(() => under, { patience: PATIENCE, isPatient: false });

  it('skips the message that blocks a task, and delivers the one behind it', async () => {
    for (const payload of ['{', '{"n":7}']) await device.publishAsync('careful', payload, { qos: 1 });
    const { control, deadLetterQueue } = running.tasks.find(({ name }) => name === 'Careful')!;
    await vi.waitUntil(() => control!.state.status === 'Ready', PATIENCE);
    const { answer, failed } = await command(under.cloud, ['skip', 'Careful', '--yes']);
    expect({ answer, failed }).toEqual({ failed: false, answer: expect.stringMatching(/^Careful is Running/) });
    await vi.waitUntil(async () => (await readRecords(running.kinesis, 'Third')).length > 0, PATIENCE);
    expect(deadLetterQueue!.counts.visible).toBe(1);
  });

  it('ends although an invocation hangs, and names what it waits for', async () => {
    const hung = await run(stacks, {
      settleAtMostMs: 100,
      wrapHandler: () => () => new Promise<never>(() => {}),
      onError() {},
    });
    const client = await mqtt.connectAsync(hung.broker.url);
    await client.publishAsync('devices/d1/telemetry', '{"n":1,"temp":30}', { qos: 1 });
    await vi.waitUntil(() => hung.tasks[0]!.queue!.counts.inFlight === 1, PATIENCE);
    client.end(true);
    expect(await hung.settle()).toBe(false);
    expect(pendingText(hung.tasks)).toMatch(/^Warm: 1 in flight; /);
    await hung.close();
  });

  it('redrives to the stream of a task with a stream buffer, with age zero (F29)', async () => {
    const { deadLetterQueue } = running.tasks.find(({ name }) => name === 'Ordered')!;
    const attributes = { ERROR_CODE: { dataType: 'String', stringValue: 'RETRIES_EXHAUSTED' } };
    deadLetterQueue!.send({ body: JSON.stringify(envelope('once more', { topic: 'ordered' })), attributes });
    const { failed } = await command(under.cloud, ['redrive', 'Ordered', '--all', '--yes', '--json']);
    expect(failed).toBe(false);
    await vi.waitUntil(async () => (await readRecords(running.kinesis, 'Second')).length > 0, PATIENCE);
    expect(String((await readRecords(running.kinesis, 'Second'))[0]!.data)).toBe('once more');
    expect(deadLetterQueue!.counts.visible).toBe(0);
  });
});

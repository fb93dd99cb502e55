import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { recordText } from '../../bin/commands/read.ts';
import { IotTopicSource, KinesisSink, MqttConnector, MqttSink, MqttSource, OutflowTask } from '../../lib/index.ts';
import { readAssembly, readSpec } from '../../localstack/one-process/assembly.ts';
import { type Run, run } from '../../localstack/one-process/run.ts';
import { mqttBrokersHome as home, isInstalled } from '../../localstack/servers/mqtt-brokers/install.mjs';
import { type MqttBroker, startMosquitto } from '../../localstack/servers/mqtt-brokers/start.ts';
import { readRecords } from '../support/kinesis.ts';
import { type Connected, connectMqtt } from '../support/mqtt-client.ts';

const PATIENCE = { timeout: 20_000, interval: 20 };

describe.skipIf(!isInstalled(home))('tasks to and from an MQTT broker, in one process', () => {
  let broker: MqttBroker;
  let running: Run;
  let remote: Connected;
  let deployedDigits: string;
  const errors: Error[] = [];

  beforeAll(async () => {
    broker = await startMosquitto({ home });
    const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-')) });
    const stack = new Stack(app, 'Mqtt');
    const plant = new MqttConnector(stack, 'Plant', { server: `mqtt://${broker.host}:${broker.port}` });
    new OutflowTask(stack, 'Outgoing', {
      source: new IotTopicSource('temp_hum/emqx'),
      sink: new MqttSink(plant, {
        topic: 'pub/${topic}',
        qos: '${qos}',
        retain: '${flags.retain}',
        payload: '${payload}',
      }),
    });
    new OutflowTask(stack, 'Incoming', {
      source: new MqttSource(plant, { topics: ['in/#'] }),
      sink: new KinesisSink('incoming', { partitionKey: '${topic}' }),
    });
    const [assembly] = readAssembly(app.synth().directory);
    const { functions } = assembly!.tasks.find(({ task }) => task === 'Incoming')!;
    const fn = assembly!.template.Resources![functions![0]!.function]!;
    ({ clientIdDigits: deployedDigits } = readSpec(assembly!, fn) as { clientIdDigits: string });
    running = await run([assembly!], { onError: (error) => errors.push(error) });
    remote = await connectMqtt(`mqtt://${broker.host}:${broker.port}`);
    await vi.waitUntil(() => running.tasks.every(({ sources }) => sources.every((one) => one.isConnected)), PATIENCE);
  }, 60_000);
  afterAll(async () => {
    await remote?.client.endAsync();
    await running?.close();
    await broker?.close();
  });

  it('delivers to the topic that its template renders, and strings stay strings (C24, C29)', async () => {
    const topics: string[] = [];
    remote.client.on('message', (topic) => topics.push(topic));
    await remote.client.subscribeAsync('pub/#', { qos: 1 });
    const { client } = await connectMqtt(`mqtt://127.0.0.1:${running.broker.port}`);
    const payload = '{ "temp": "27.5","hum": "41.8"}';
    await client.publishAsync('temp_hum/emqx', payload, { qos: 1 });
    await vi.waitUntil(() => remote.received.length > 0, PATIENCE);
    expect(topics).toEqual(['pub/temp_hum/emqx']);
    expect(remote.received).toEqual([payload]);
    await client.endAsync();
    expect(errors).toEqual([]);
  });

  it('is read back by the command, with the topics that the template renders (C29)', async () => {
    const { client } = await connectMqtt(`mqtt://127.0.0.1:${running.broker.port}`);
    const reading = running.tasks
      .find(({ name }) => name === 'Outgoing')!
      .control!.read({ since: 0, limit: 1, waitMs: 15_000 });
    const publishing = setInterval(() => client.publish('temp_hum/emqx', '{"temp": "27.5"}', { qos: 1 }), 50);
    const response = await reading;
    clearInterval(publishing);
    await client.endAsync();
    if (!response.ok) throw new Error(response.detail);
    expect(recordText(response.records[0]!)).toMatch(/ pub\/temp_hum\/emqx {2}QoS 0\n {2}\{ ?"temp": "27.5" ?\}$/);
  });

  it('receives with QoS, flags and MQTT 5 properties, and numbers stay numbers (C31, C35)', async () => {
    await remote.client.publishAsync('in/temp_hum', '{"temp": 55,"hum": 32}', {
      qos: 1,
      properties: { userProperties: { KEYS: 'k1' }, contentType: 'application/json' },
    });
    await vi.waitUntil(async () => (await readRecords(running.kinesis, 'incoming')).length > 0, PATIENCE);
    const [record] = await readRecords(running.kinesis, 'incoming');
    expect(record!.key).toBe('in/temp_hum');
    expect(JSON.parse(`${record!.data}`)).toMatchObject({
      topic: 'in/temp_hum',
      qos: 1,
      flags: { retain: false, dup: false },
      payload: '{"temp": 55,"hum": 32}',
    });
    const { incoming } = running.tasks.find(({ name }) => name === 'Incoming')!.counters;
    expect(incoming).toBe(1);
  });

  it('connects with other client ids than the deployed task, whose session it would take', () => {
    const ids = [...broker.log().matchAll(/ as (Plant[\da-f]{8}):1/g)].map(([, id]) => id);
    expect(ids.length).toBeGreaterThan(0);
    expect(ids).not.toContain(`Plant${deployedDigits}`);
  });

  it('receives what was published while the broker and the source were apart', async () => {
    const before = (await readRecords(running.kinesis, 'incoming')).length;
    const { sources, control } = running.tasks.find(({ name }) => name === 'Incoming')!;
    await control!.send({ kind: 'pause', task: 'Incoming', stopIntake: true });
    await vi.waitUntil(() => !sources[0]!.isConnected, PATIENCE);
    const texts = Array.from({ length: 1_500 }, (_, i) => `apart ${i}`);
    for (const text of texts) await remote.client.publishAsync('in/apart', text, { qos: 1 });
    await control!.send({ kind: 'enable', task: 'Incoming' });
    await vi.waitUntil(
      async () => (await readRecords(running.kinesis, 'incoming')).length >= before + texts.length,
      PATIENCE,
    );
    const received = (await readRecords(running.kinesis, 'incoming')).slice(before);
    const payloads = received.map(({ data }) => JSON.parse(`${data}`).payload);
    expect(payloads.toSorted()).toEqual(texts.toSorted());
  });
});

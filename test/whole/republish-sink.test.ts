import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseOptions } from '../../lambdas/core/options.ts';
import { republishOptions } from '../../lambdas/deliver/republish/config.ts';
import type { RepublishRequest } from '../../lambdas/deliver/republish/render.ts';
import { openRepublish } from '../../lambdas/deliver/republish/sink.ts';
import {
  IotTopicSource,
  MqttConnector,
  MqttSink,
  MqttSource,
  OutflowTask,
  RepublishSink,
  type RepublishSinkProps,
} from '../../lib/index.ts';
import type { Broker } from '../../localstack/iot-core/broker/broker.ts';
import { type DataPlane, startDataPlane } from '../../localstack/iot-core/data-plane/data-plane.ts';
import { startStandIn } from '../../localstack/iot-core/stand-in.ts';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import { type Run, run } from '../../localstack/one-process/run.ts';
import { mqttBrokersHome as home } from '../../localstack/servers/mqtt-brokers/install.mjs';
import { isInstalled } from '../../localstack/servers/mqtt-brokers/mosquitto/install.mjs';
import { type MqttBroker, startMosquitto } from '../../localstack/servers/mqtt-brokers/start.ts';
import { minute, sinkContract } from '../contract/sink.ts';

const request = (text: string, over: Partial<RepublishRequest> = {}): RepublishRequest => ({
  topic: 'out',
  isTopicRendered: false,
  isRetainRendered: false,
  qos: 1,
  retain: false,
  payload: Buffer.from(text),
  properties: { userProperties: [] },
  ...over,
});

describe('the republish sink, on the stand-in’s HTTP API', () => {
  const published: string[] = [];
  let broker: Broker;
  let dataPlane: DataPlane;
  const serve = async (port?: number) => {
    dataPlane = await startDataPlane({ broker, port, denies: (topic) => topic.startsWith('denied/') });
  };
  beforeAll(async () => {
    const sql = "SELECT encode(*, 'base64') AS payload FROM '#'";
    broker = await startStandIn({
      rules: [{ name: 'All', sql, actions: [{ type: 'sqs', queueUrl: 'all', useBase64: false }] }],
      targets: {
        sendToQueue: (_, body) => void published.push(Buffer.from(JSON.parse(body).payload, 'base64').toString()),
        putToStream() {},
      },
      onError: (error) => expect.unreachable(error.message),
    });
    await serve();
  });
  afterAll(async () => {
    await dataPlane?.close();
    await broker?.close();
  });

  const open = (over: object = {}, endpointUrl = dataPlane.endpointUrl) => {
    const parsed = parseOptions(republishOptions, { type: 'republish', topic: 'out', ...over });
    return openRepublish({ ...parsed, topic: parsed.topic as string }, { env: {}, endpointUrl });
  };

  sinkContract<RepublishRequest>({
    name: 'republish',
    isOneByOne: true,
    open: () => open({ inflightWindow: 2 }),
    openUnreachable: () => open({}, 'http://127.0.0.1:1'),
    request: (text, topic = 'out') => request(text, { topic }),
    refused: (topic) => request('', { topic, payload: Buffer.alloc(128 * 1024 + 1) }),
    misdirected: () => request('misdirected', { topic: 'denied/topic' }),
    missingTarget: 'denied/topic',
    readBack: async () => [...published],
    outage: {
      begin: () => dataPlane.close(),
      end: () => serve(Number(new URL(dataPlane.endpointUrl).port)),
    },
  });

  it('a topic that the worker may not use stops the task; one that a template named is the message’s fault', async () => {
    const sink = open();
    onTestFinished(() => void sink.close());
    const denied = (over: object) => request('a', { topic: 'denied/a', ...over });
    const outcomes = await sink.deliver([denied({}), denied({ isTopicRendered: true }), request('b')], minute);
    expect(outcomes.map((outcome) => (outcome.status === 'never' ? outcome.error.code : outcome.status))).toEqual([
      'stop',
      'INVALID_TARGET',
      'delivered',
    ]);
  });

  it('is connected where its topics may be used', async () => {
    const sink = open();
    onTestFinished(() => void sink.close());
    expect(await sink.testConnectivity(['out', 'sub/${topic}', 'denied/${topic}'])).toBe(
      'AWS IoT Core accepts topic out; AWS IoT Core accepts topic sub/outflow-connectivity-test; ' +
        'AWS IoT Core answers; it refuses topic denied/outflow-connectivity-test',
    );
    const listed = open({ topic: '$.data.body.to', topics: ['plant/*', 'other'] });
    onTestFinished(() => void listed.close());
    expect(await listed.testConnectivity()).toBe('AWS IoT Core accepts topic plant/outflow-connectivity-test');
  });
});

/** An assembly of one stack. Synth sees the tasks of one app, so two apps can build a loop. */
function assembly(name: string, tasks: Readonly<Record<string, [filter: string, props: RepublishSinkProps]>>) {
  const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-')) });
  const stack = new Stack(app, name);
  for (const [id, [filter, props]] of Object.entries(tasks))
    new OutflowTask(stack, id, { source: new IotTopicSource(filter), sink: new RepublishSink(props) });
  return readAssembly(app.synth().directory);
}

describe('MQTT client → rule → queue → worker → MQTT client', () => {
  let running: Run;
  const errors: Error[] = [];
  beforeAll(async () => {
    const forwarded = { payload: '${payload}', qos: '${qos}', retain: '${flags.retain}' };
    running = await run(
      [
        ...assembly('One', {
          Echo: ['temp_hum/#', { topic: 'sub/${topic}', ...forwarded }],
          There: ['there/#', { topic: 'back/${payload.to}', ...forwarded }],
          Whole: [
            'whole/#',
            {
              topic: 'out/${clientid}',
              qos: 2,
              contentType: '$.data.systemProperties.contentType',
              responseTopic: '$.data.systemProperties.responseTopic',
              correlationData: '$.data.systemProperties.correlationData',
              payloadFormatIndicator: '$.data.systemProperties.payloadFormatIndicator',
              messageExpiry: Duration.minutes(1),
              userProperties: '$.data.userProperties',
            },
          ],
        }),
        ...assembly('Two', { Back: ['back/#', { topic: 'there/${payload.to}', ...forwarded }] }),
      ],
      { onError: (error) => errors.push(error) },
    );
  });
  afterAll(async () => {
    await running?.close();
    expect(errors).toEqual([]);
  });

  const task = (name: string) => running.tasks.find((one) => one.name === name)!;
  /** A client whose subscription is granted, and its next message. */
  async function subscriber(filter: string) {
    const client = await mqtt.connectAsync(running.broker.url, { protocolVersion: 5, clientId: 'test_client' });
    onTestFinished(() => client.endAsync());
    const received = new Promise<{ topic: string; text: string; packet: mqtt.IPublishPacket }>((resolve) =>
      client.once('message', (topic, payload, packet) => resolve({ topic, text: payload.toString(), packet })),
    );
    await client.subscribeAsync(filter, { qos: 1 });
    return { client, received };
  }

  it('temp_hum/emqx becomes sub/temp_hum/emqx, and numbers stay numbers (C33, C35)', async () => {
    const { client, received } = await subscriber('sub/#');
    const text = '{"temp": 55,"hum": 32}';
    await client.publishAsync('temp_hum/emqx', text, { qos: 1 });
    expect(await received).toMatchObject({ topic: 'sub/temp_hum/emqx', text, packet: { qos: 0, retain: false } });
  });

  it('QoS and retain are those that the publisher states', async () => {
    const { client, received } = await subscriber('sub/temp_hum/kept');
    const userProperties = { qos: '1', retain: 'true' };
    await client.publishAsync('temp_hum/kept', 'x', { qos: 1, properties: { userProperties } });
    expect((await received).packet.qos).toBe(1);
    const later = await subscriber('sub/temp_hum/kept');
    expect((await later.received).packet).toMatchObject({ qos: 1, retain: true });
  });

  it('a blank payload forwards the rule output, with the MQTT 5 properties that the options set', async () => {
    const { client, received } = await subscriber('out/test_client');
    const properties = {
      contentType: 'text/plain',
      responseTopic: 'r/1',
      correlationData: Buffer.from([0, 255]),
      payloadFormatIndicator: true,
      userProperties: { site: ['a', 'b'], 'outflow-hops': '3' },
    };
    await client.publishAsync('whole/1', 'text', { qos: 1, properties });
    const { text, packet } = await received;
    expect(JSON.parse(text)).toMatchObject({ topic: 'whole/1', clientid: 'test_client', payload: 'text' });
    expect(packet.properties).toMatchObject({
      ...properties,
      messageExpiryInterval: expect.toSatisfy((seconds) => seconds > 0 && seconds <= 60),
      userProperties: { site: ['a', 'b'], 'outflow-hops': '4' },
    });
    // AWS IoT Core has no QoS 2.
    expect(packet.qos).toBe(1);
  });

  it('a loop that two apps build ends after eight hops, in the dead-letter queue (F35)', async () => {
    const { client } = await subscriber('nothing');
    await client.publishAsync('there/x', '{"to":"x"}', { qos: 1 });
    const counts = () => [task('There').counters.outgoing, task('Back').counters.outgoing];
    await expect.poll(() => [...counts(), task('There').counters.deadLettered], { timeout: 20_000 }).toEqual([4, 4, 1]);
    const [deadLetter] = task('There').deadLetterQueue!.receive(1);
    expect(deadLetter!.attributes).toMatchObject({
      ERROR_CODE: { stringValue: 'REJECTED' },
      STAGE: { stringValue: 'render' },
      ERROR_MESSAGE: { stringValue: expect.stringContaining('republished 8 times; expected at most 8 (maxHops)') },
    });
  });
});

it('a run that ends processes what its tasks republish to each other', async () => {
  const chain = assembly('Chain', {
    Third: ['c', { topic: 'd', payload: '${payload}' }],
    Second: ['b', { topic: 'c', payload: '${payload}' }],
    First: ['a', { topic: 'b', payload: '${payload}' }],
  });
  const running = await run(chain, { onError: (error) => expect.unreachable(error.message) });
  onTestFinished(() => running.close());
  await running.broker.publish({ topic: 'a', payload: 'x' });
  expect(await running.settle()).toBe(true);
  expect(running.tasks.map(({ counters }) => counters.outgoing)).toEqual([1, 1, 1]);
});

describe.skipIf(!isInstalled(home))('MQTT broker → source → queue → worker → MQTT client', () => {
  let remote: MqttBroker;
  let running: Run;
  const errors: Error[] = [];
  beforeAll(async () => {
    remote = await startMosquitto({ home });
    const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-')) });
    const stack = new Stack(app, 'Bridge');
    const plant = new MqttConnector(stack, 'Plant', { server: `mqtt://${remote.host}:${remote.port}` });
    const forwarded = { qos: '${qos}', retain: '${flags.retain}', payload: '${payload}' };
    new OutflowTask(stack, 'Inbound', {
      source: new MqttSource(plant, { topics: ['temp_hum/#'], qos: 1 }),
      sink: new RepublishSink({ topic: 'sub/${topic}', ...forwarded }),
    });
    // A loop through the broker, which synth cannot see.
    new OutflowTask(stack, 'In', {
      source: new MqttSource(plant, { topics: ['loop/#'] }),
      sink: new RepublishSink({ topic: '${topic}', topics: ['loop/*'], ...forwarded, maxHops: 3 }),
    });
    new OutflowTask(stack, 'Out', {
      source: new IotTopicSource('loop/#'),
      sink: new MqttSink(plant, { topic: '${topic}', topics: ['loop/*'], ...forwarded, qos: 1 }),
    });
    running = await run(readAssembly(app.synth().directory), { onError: (error) => errors.push(error) });
    await vi.waitUntil(() => running.tasks.every(({ sources }) => sources.every((one) => one.isConnected)), {
      timeout: 30_000,
    });
  }, 120_000);
  afterAll(async () => {
    await running?.close();
    await remote?.close();
    expect(errors).toEqual([]);
  });

  it('temp_hum/emqx of the broker becomes sub/temp_hum/emqx, with its QoS and retain flag (C30, C33, C35)', async () => {
    const subscriber = await mqtt.connectAsync(running.broker.url, { protocolVersion: 5 });
    onTestFinished(() => subscriber.endAsync());
    const received = new Promise((resolve) =>
      subscriber.once('message', (topic, payload, { qos }) => resolve({ topic, text: payload.toString(), qos })),
    );
    await subscriber.subscribeAsync('sub/#', { qos: 1 });
    const device = await mqtt.connectAsync(`mqtt://${remote.host}:${remote.port}`);
    onTestFinished(() => device.endAsync());
    const text = '{"temp": 55,"hum": 32}';
    await device.publishAsync('temp_hum/emqx', text, { qos: 1 });
    expect(await received).toEqual({ topic: 'sub/temp_hum/emqx', text, qos: 1 });
  });

  it('a loop through the broker ends after the hops that the sink allows (F35)', async () => {
    const device = await mqtt.connectAsync(running.broker.url, { protocolVersion: 5 });
    onTestFinished(() => device.endAsync());
    await device.publishAsync('loop/x', 'round', { qos: 1 });
    const counters = (name: string) => running.tasks.find((task) => task.name === name)!.counters;
    const counts = () => [counters('Out').outgoing, counters('In').outgoing, counters('In').deadLettered];
    await expect.poll(counts, { timeout: 20_000 }).toEqual([4, 3, 1]);
  });
});

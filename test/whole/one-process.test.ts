import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IotTopicSource, KinesisSink, NoBuffer, OutflowTask, StreamBuffer } from '../../lib/index.ts';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import { type Run, run } from '../../localstack/one-process/run.ts';
import { readRecords } from '../support/kinesis.ts';

const PAYLOADS: Record<string, string | Uint8Array> = {
  spaces: ' { "z" : 1 ,\t"a":[ 1.0, 1e400, 12345678901234567890 ] }\n',
  empty: '',
  'invalid UTF-8': new Uint8Array([0xc3, 0x28, 0xff, 0x00]),
  'broken JSON': '{"a":',
  '128 KiB': new Uint8Array(128 * 1024).map((_, i) => i % 256),
};

let running: Run;
const streamNames: Record<string, string> = {};
const errors: Error[] = [];

beforeAll(async () => {
  const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-')) });
  const streams = new Stack(app, 'Streams');
  const stack = new Stack(app, 'Tasks');
  const streamOf = (id: string) => {
    streamNames[id] = `Streams-${id}`;
    return new Stream(streams, id, { streamName: `Streams-${id}` });
  };
  const all = { partitionKey: '${topic}', payload: '${payload}' };
  new OutflowTask(stack, 'Bytes', {
    source: new IotTopicSource(['bytes/#', '+/both']),
    sink: new KinesisSink(streamOf('Bytes'), all),
  });
  new OutflowTask(stack, 'Warm', {
    source: new IotTopicSource('devices/+/telemetry', { defaults: { qos: 1 } }),
    filter: { data: { body: { temp: [{ numeric: ['>', 20] }] }, qos: [1] } },
    batchPush: { messages: 100, interval: Duration.seconds(1) },
    sink: new KinesisSink(streamOf('Warm'), {
      partitionKey: '${clientid}',
      payload: '{"id":"${pub_props.User-Property.KEYS}","temp":${payload.temp}}',
    }),
  });
  new OutflowTask(stack, 'Routed', {
    source: new IotTopicSource('sites/+'),
    sink: new KinesisSink('Streams-${payload.site}', { partitionKey: 'k', streams: [streamOf('a'), streamOf('b')] }),
  });
  new OutflowTask(stack, 'Ordered', {
    source: new IotTopicSource('ordered/+'),
    buffer: new StreamBuffer({ order: 'strict' }),
    sink: new KinesisSink(streamOf('Ordered'), { ...all, partitionKey: '${clientid}' }),
  });
  new OutflowTask(stack, 'Native', {
    source: new IotTopicSource('native/+'),
    buffer: new NoBuffer({ payload: 'reserialised' }),
    sink: new KinesisSink(streamOf('Native'), all),
  });
  running = await run(readAssembly(app.synth().directory), { onError: (error) => errors.push(error) });
});

afterAll(async () => {
  await running?.close();
  expect(errors).toEqual([]);
});

const task = (name: string) => running.tasks.find((one) => one.name === name)!;
const records = (id: string) => readRecords(running.kinesis, streamNames[id]!);
const settled = () => Promise.all(running.tasks.flatMap(({ mappings }) => mappings.map((mapping) => mapping.settle())));

describe.each([4, 5] as const)('MQTT client → rule → queue → worker → Kinesis, MQTT version %i', (protocolVersion) => {
  let client: mqtt.MqttClient;
  beforeAll(async () => {
    client = await mqtt.connectAsync(running.broker.url, { clientId: `device-${protocolVersion}`, protocolVersion });
  });
  afterAll(() => client.endAsync());

  it('a stream keeps a client’s messages in their order (E5)', async () => {
    const texts = Array.from({ length: 40 }, (_, n) => `${protocolVersion}:${n}`);
    await Promise.all(texts.map((text) => client.publishAsync(`ordered/${protocolVersion}`, text, { qos: 1 })));
    await settled();
    const mine = (await records('Ordered')).filter(({ key }) => key === `device-${protocolVersion}`);
    expect(mine.map(({ data }) => data.toString())).toEqual(texts);
  });

  it('payload bytes survive untouched (E26)', async () => {
    for (const [name, payload] of Object.entries(PAYLOADS)) {
      await client.publishAsync(`bytes/${protocolVersion}/${name}`, Buffer.from(payload), { qos: 1 });
    }
    await settled();
    const read = new Map((await records('Bytes')).map(({ key, data }) => [key, data]));
    for (const [name, payload] of Object.entries(PAYLOADS)) {
      expect([name, read.get(`bytes/${protocolVersion}/${name}`)?.equals(Buffer.from(payload))]).toEqual([name, true]);
    }
  });

  it('a message that two filters match comes once', async () => {
    await client.publishAsync('bytes/both', `both ${protocolVersion}`, { qos: 1 });
    await settled();
    const texts = (await records('Bytes')).map(({ data }) => data.toString());
    expect(texts.filter((text) => text === `both ${protocolVersion}`)).toHaveLength(1);
  });

  it('filters, renders, counts, and dead-letters what it cannot read', async () => {
    const before = { ...task('Warm').counters };
    const properties = { userProperties: { KEYS: 'k-1', other: ['x', 'y'] } };
    const publish = (payload: string) =>
      client.publishAsync(`devices/d${protocolVersion}/telemetry`, payload, {
        qos: 1,
        ...(protocolVersion === 5 && { properties }),
      });
    await Promise.all(['{"temp":21.50}', '{"temp":19}', '{"temp":'].map(publish));
    await settled();
    const { incoming, filtered, outgoing, deadLettered } = task('Warm').counters;
    // An MQTT 3.1.1 client has no user properties, so its message lacks what the template asks for.
    const [out, dead] = protocolVersion === 5 ? [1, 1] : [0, 2];
    expect({ incoming, filtered, outgoing, deadLettered }).toEqual({
      incoming: before.incoming + 3,
      filtered: before.filtered + 1,
      outgoing: before.outgoing + out,
      deadLettered: before.deadLettered + dead,
    });
    const texts = (await records('Warm')).map(({ key, data }) => `${key} ${data}`);
    expect(texts.filter((text) => text === 'device-5 {"id":"k-1","temp":21.5}')).toHaveLength(
      protocolVersion === 5 ? 1 : 0,
    );
    const codes = task('Warm')
      .deadLetterQueue!.peek()
      .map(({ attributes }) => attributes!['ERROR_CODE']!.stringValue);
    expect(codes).toContain('INVALID_PAYLOAD');
    if (protocolVersion === 4) expect(codes).toContain('TEMPLATE_VARIABLE_MISSING');
  });
});

describe('routing and passing through', () => {
  let client: mqtt.MqttClient;
  beforeAll(async () => {
    client = await mqtt.connectAsync(running.broker.url, { clientId: 'device', protocolVersion: 5 });
  });
  afterAll(() => client.endAsync());

  it('a stream name with placeholders routes; a wrong one is that message’s fault', async () => {
    await Promise.all(
      ['a', 'b', 'missing'].map((site) => client.publishAsync('sites/1', JSON.stringify({ site }), { qos: 1 })),
    );
    await settled();
    for (const site of ['a', 'b']) {
      const [record] = await records(site);
      expect(JSON.parse(record!.data.toString())).toMatchObject({
        topic: 'sites/1',
        payload: JSON.stringify({ site }),
      });
    }
    const [dlqMessage] = task('Routed').deadLetterQueue!.peek();
    const attributes = Object.fromEntries(
      Object.entries(dlqMessage!.attributes!).map(([name, { stringValue }]) => [name, stringValue]),
    );
    expect(attributes).toMatchObject({
      ERROR_CODE: 'INVALID_TARGET',
      STAGE: 'deliver',
      TASK: 'Routed',
      RULE_ARN: expect.stringMatching(/^arn:aws:iot:us-east-1:\d{12}:rule\/Tasks_RoutedRule/),
      TARGET_ARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/Streams-missing',
    });
    expect(Object.keys(attributes)).toHaveLength(10);
  });

  it('without a buffer, IoT Core’s own action prints JSON anew', async () => {
    await client.publishAsync('native/1', '{ "a" : 1.50 }', { qos: 1 });
    expect((await records('Native')).map(({ key, data }) => `${key} ${data}`)).toEqual(['native/1 {"a":1.5}']);
  });
});

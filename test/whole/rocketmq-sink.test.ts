import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, SecretValue, Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Resolved } from '../../lambdas/core/deploy-time.ts';
import { parseOptions } from '../../lambdas/core/options.ts';
import { type RocketMqOptions, rocketMqOptions } from '../../lambdas/deliver/rocketmq/config.ts';
import type { RocketMqRequest } from '../../lambdas/deliver/rocketmq/message.ts';
import { readArrived } from '../../lambdas/deliver/rocketmq/read.ts';
import { openRocketMq } from '../../lambdas/deliver/rocketmq/sink.ts';
import { IotTopicSource, OutflowTask, RocketMqConnector, RocketMqMapping, RocketMqSink } from '../../lib/index.ts';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import { type Run, run } from '../../localstack/one-process/run.ts';
import { rocketMqHome as home, isInstalled } from '../../localstack/servers/rocketmq/install.mjs';
import { type RocketMq, startRocketMq } from '../../localstack/servers/rocketmq/start.ts';
import { minute, sinkContract } from '../contract/sink.ts';

const START_TIMEOUT_MS = 180_000;
const MAX_MESSAGE_BYTES = 65_536;
const USER = { accessKey: 'lambda-user', secretKey: 'lambda-secret' };

const options = (over: object) =>
  parseOptions(rocketMqOptions, {
    type: 'rocketmq',
    tls: false,
    topic: 'Contract',
    syncTimeoutMs: 10_000,
    ...over,
  }) as Resolved<RocketMqOptions>;
const request = (text: string, over: Partial<RocketMqRequest> = {}): RocketMqRequest => ({
  topic: 'Contract',
  isTopicRendered: false,
  isTypeRendered: false,
  message: { body: Buffer.from(text) },
  ...over,
});

describe.skipIf(!isInstalled(home)).each([5, 4] as const)(
  'RocketMQ sink, on RocketMQ %i',
  { timeout: START_TIMEOUT_MS },
  (version) => {
    let mq: RocketMq;
    const open = (over: object = {}) => openRocketMq(options({ nameServers: mq.nameServer, ...over }), { env: {} });

    beforeAll(async () => {
      const topics = ['Contract', 'Other', 'Ordered', 'Read'].map((name) => ({ name, queues: 4 }));
      mq = await startRocketMq({ home, version, topics, brokerSettings: { maxMessageSize: MAX_MESSAGE_BYTES } });
    }, START_TIMEOUT_MS);
    afterAll(() => mq?.close());

    sinkContract<RocketMqRequest>({
      name: `RocketMQ ${version}`,
      open: () => open({ batchSize: 2, produce: 'async' }),
      openUnreachable: () => openRocketMq(options({ nameServers: '127.0.0.1:1', syncTimeoutMs: 1_000 }), { env: {} }),
      request: (text, group = 'k') => request('', { message: { body: Buffer.from(text), group } }),
      refused: (group) => request('', { message: { body: Buffer.alloc(MAX_MESSAGE_BYTES + 1), group } }),
      misdirected: () => request('misdirected', { topic: 'Missing' }),
      missingTarget: 'Missing',
      readBack: async () =>
        (await mq.consume('Contract', { count: await mq.count('Contract') })).map(({ body }) => `${body}`),
      outage: { begin: () => mq.stopBroker(), end: () => mq.startBroker() },
    });

    it('stops the task for a missing topic, unless a template named it: then the message is dead-lettered', async () => {
      const sink = open();
      const statuses = async (...requests: RocketMqRequest[]) =>
        (await sink.deliver(requests, minute)).map((outcome) =>
          outcome.status === 'never' ? outcome.error.code : outcome.status,
        );
      const missing = (over: object = {}) => request('a', { topic: 'Missing', ...over });
      expect(await statuses(missing(), request('b', { topic: 'Other' }))).toEqual(['stop', 'delivered']);
      const rendered = missing({ isTopicRendered: true });
      expect(await statuses(rendered, request('b', { topic: 'Other' }))).toEqual(['INVALID_TARGET', 'delivered']);
      // The first message would be dead-lettered, but the task names the same topic and stops.
      expect(await statuses(rendered, missing())).toEqual(['stop', 'stop']);
      await sink.close();
    });

    it('strict order: messages of a group are stored in order among others (E5)', async () => {
      const sink = open({ topic: 'Ordered', produce: 'async', batchSize: 7 });
      const requests = Array.from({ length: 120 }, (_, i) =>
        request('', {
          topic: 'Ordered',
          message: { body: Buffer.from(`${i}`), ...(i % 3 > 0 && { group: `g${i % 3}` }) },
        }),
      );
      const outcomes = await sink.deliver(requests, { ...minute, order: 'strict' });
      await sink.close();
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['delivered']));
      const stored = await mq.consume('Ordered', { count: 120 });
      expect(stored).toHaveLength(120);
      for (const group of ['g1', 'g2']) {
        const own = stored.filter(({ properties }) => properties['__SHARDINGKEY'] === group).map(({ body }) => +body);
        expect(own).toEqual([...own].sort((a, b) => a - b));
      }
    });

    it('what it has sent is read with keys, tag and properties, and nothing is consumed', async () => {
      const sink = open({ topic: 'Read' });
      const message = { body: Buffer.from('read me'), keys: ['k1', 'k2'], tag: 't', properties: { p: 'é' } };
      const before = Date.now() - 1_000;
      const requests = Array.from({ length: 70 }, (_, i) =>
        request('', { topic: 'Read', message: { body: Buffer.from(`${i}`) } }),
      );
      await sink.deliver([...requests, request('', { topic: 'Read', message })], minute);
      await sink.close();
      const read = (over: object) =>
        readArrived(
          options({ topic: 'Read', nameServers: mq.nameServer }),
          { env: {} },
          { since: before, limit: 1_000, consumerGroup: 'none', ...over },
        );
      for (let twice = 0; twice < 2; twice++) {
        const records = await read({});
        const texts = records.map(({ body }) => Buffer.from(body, 'base64').toString());
        expect(texts.sort()).toEqual([...requests.keys()].map(String).concat('read me').sort());
        expect(records).toContainEqual(
          expect.objectContaining({
            target: 'Read',
            key: 'k1 k2',
            tag: 't',
            properties: expect.objectContaining({ p: 'é' }),
          }),
        );
      }
      const all = await read({});
      for (const n of [1, 20, 50]) {
        const since = all[n]!.time;
        expect(await read({ since })).toEqual(all.filter(({ time }) => time >= since));
      }
      expect(await read({ since: Date.now() + 60_000 })).toEqual([]);
      await expect(read({ target: 'Missing' })).rejects.toThrow('Missing does not exist');
    });
  },
);

describe.skipIf(!isInstalled(home)).each([4, 5] as const)(
  'MQTT client → rule → queue → worker → RocketMQ %i, with access control and TLS',
  { timeout: START_TIMEOUT_MS },
  (version) => {
    let mq: RocketMq;
    let running: Run;
    let client: mqtt.MqttClient;
    const errors: Error[] = [];
    const readSecrets: string[] = [];
    const settled = () =>
      Promise.all(running.tasks.flatMap(({ mappings }) => mappings.map((mapping) => mapping.settle())));
    const task = (name: string) => running.tasks.find((one) => one.name === name)!;

    beforeAll(async () => {
      const topics = ['TopicTest', 'test', 'site-a'].map((name) => ({ name }));
      mq = await startRocketMq({ home, version, topics, acl: USER, tls: true });
      const stack = new Stack(new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-')) }), 'Tasks');
      const credentials = new Secret(stack, 'Credentials', {
        secretStringValue: SecretValue.unsafePlainText('not in any template'),
      });
      const connector = new RocketMqConnector(stack, 'my_rocketmq', {
        nameServers: ['127.0.0.1:1', mq.nameServer],
        credentials,
        certificateAuthority: readFileSync(mq.caFile!, 'utf8'),
      });
      new OutflowTask(stack, 'my_rule', {
        source: new IotTopicSource('t/#'),
        sink: new RocketMqSink(connector, {
          topic: 'TopicTest',
          payload: '${payload}',
          key: '${clientid} ${topic}',
          tag: 'new',
          properties: { from: '${peerhost}', temp: '$.data.body.temp', all: '$.data.body' },
        }),
      });
      new OutflowTask(stack, 'apsara', {
        source: new IotTopicSource('test-topic'),
        sink: new RocketMqSink(connector, { topic: 'test', ...RocketMqMapping.apsaraMq() }),
      });
      new OutflowTask(stack, 'routed', {
        source: new IotTopicSource('sites/+'),
        sink: new RocketMqSink(connector, { topic: 'site-${payload.site}' }),
      });
      running = await run(readAssembly((stack.node.root as App).synth().directory), {
        onError: (error) => errors.push(error),
        secret: async (arn) => {
          readSecrets.push(arn);
          return JSON.stringify(USER);
        },
      });
      client = await mqtt.connectAsync(running.broker.url, { clientId: 'emqx_c', protocolVersion: 5 });
    }, START_TIMEOUT_MS);
    afterAll(async () => {
      await client?.endAsync();
      await running?.close();
      await mq?.close();
      expect(errors).toEqual([]);
    });

    it('delivers the payload’s bytes unchanged, with keys, tag and properties (A28, A30, S17)', async () => {
      await client.publishAsync('t/1', '{ "msg": "hello RocketMQ" }', { qos: 1 });
      await settled();
      const [message, ...more] = await mq.consume('TopicTest', { count: 1 });
      expect(more).toEqual([]);
      expect(`${message!.body}`).toBe('{ "msg": "hello RocketMQ" }');
      expect(message).toMatchObject({
        keys: 'emqx_c t/1',
        tags: 'new',
        properties: { from: '127.0.0.1', all: '{"msg":"hello RocketMQ"}' },
      });
      expect(message!.properties).not.toHaveProperty('temp');
      expect(readSecrets.every((arn) => /secret:Tasks-Credentials/.test(arn))).toBe(true);
    });

    it('maps as ApsaraMQ does: body, user properties, keys and tag (D12–D16)', async () => {
      const userProperties = { KEYS: ['k1', 'k2'], TAGS: 'sensor', unit: 'C', many: ['x', 'y'] };
      await client.publishAsync('test-topic', '{"temp": 21.0}', { qos: 1, properties: { userProperties } });
      await client.publishAsync('test-topic', '{"temp":', { qos: 1 });
      await settled();
      const [message, ...more] = await mq.consume('test', { count: 1 });
      expect(more).toEqual([]);
      expect(message).toMatchObject({ keys: 'k1 k2', tags: 'sensor', properties: { unit: 'C', many: '["x","y"]' } });
      expect(`${message!.body}`).toBe('{"temp":21.0}');
      const [dlqMessage] = task('apsara').deadLetterQueue!.peek();
      expect(dlqMessage!.attributes!['ERROR_CODE']!.stringValue).toBe('INVALID_PAYLOAD');
    });

    it('delivers the whole rule output for a blank payload, with the message’s id as key; dead-letters a message with a wrong topic', async () => {
      for (const site of ['a', 'b', 'c/d']) await client.publishAsync('sites/1', JSON.stringify({ site }), { qos: 1 });
      await settled();
      const [message] = await mq.consume('site-a', { count: 1 });
      const output = JSON.parse(`${message!.body}`);
      expect(output).toMatchObject({ topic: 'sites/1', payload: '{"site":"a"}', clientid: 'emqx_c' });
      expect(message!.keys).toBe(output.id);
      const dlqMessages = task('routed').deadLetterQueue!.peek();
      expect(dlqMessages.map(({ attributes }) => attributes!['ERROR_CODE']!.stringValue)).toEqual([
        'INVALID_TARGET',
        'INVALID_TARGET',
      ]);
      const targets = dlqMessages.map(({ attributes }) => attributes!['TARGET_ARN']!.stringValue);
      expect(targets).toContain('rocketmq://127.0.0.1:1/site-b');
    });

    it('reports the result of a connectivity test (A18, A24)', async () => {
      expect(await task('my_rule').control!.testConnectivity()).toEqual({
        ok: true,
        detail: expect.stringMatching(/^TopicTest: .* \(127\.0\.0\.1:\d+\) answers in \d+ ms$/),
      });
      expect(await task('routed').control!.testConnectivity()).toMatchObject({ ok: true });
    });

    it('goes on with a rotated secret, and stops for an invalid one (F25)', async () => {
      const resultOf = async (text: string) => {
        const refused = JSON.stringify({ ...USER, secretKey: 'old-secret' });
        const given = [refused, text];
        const sink = openRocketMq(
          options({ nameServers: mq.nameServer, topic: 'test', tls: true, ca: readFileSync(mq.caFile!, 'utf8') }),
          { env: { CREDENTIALS_SECRET_ARN: 'arn:secret' }, secret: async () => given.shift() ?? text },
        );
        const [outcome] = await sink.deliver([request('x', { topic: 'test' })], minute);
        await sink.close();
        return 'error' in outcome! ? outcome.error.message : outcome!.status;
      };
      expect(await resultOf(JSON.stringify(USER))).toBe('delivered');
      expect(await resultOf('{"accessKey":"a"}')).toMatch(/^secret arn:secret: expected JSON such as/);
    });
  },
);

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, SecretValue, Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import fc from 'fast-check';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Resolved } from '../../lambdas/core/deploy-time.ts';
import { parseOptions } from '../../lambdas/core/options.ts';
import { type RocketMqOptions, rocketMqOptions } from '../../lambdas/deliver/rocketmq/config.ts';
import { MAX_TIME_MS } from '../../lambdas/deliver/rocketmq/constraints.ts';
import { type GrpcProducerOptions, openGrpcProducer } from '../../lambdas/deliver/rocketmq/grpc/producer.ts';
import type { Message, RocketMqRequest } from '../../lambdas/deliver/rocketmq/message.ts';
import type { Producer } from '../../lambdas/deliver/rocketmq/producer.ts';
import { readArrived } from '../../lambdas/deliver/rocketmq/read.ts';
import { openRocketMq } from '../../lambdas/deliver/rocketmq/sink.ts';
import type { Outcome } from '../../lambdas/deliver/sink.ts';
import { IotTopicSource, OutflowTask, RocketMqConnector, RocketMqSink } from '../../lib/index.ts';
import { node24 } from '../../localstack/cache.mjs';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import { run } from '../../localstack/one-process/run.ts';
import { makeCertificates } from '../../localstack/servers/certificates.ts';
import { rocketMqHome as home, isInstalled } from '../../localstack/servers/rocketmq/install.mjs';
import { type RocketMq, startRocketMq } from '../../localstack/servers/rocketmq/start.ts';
import { minute, sinkContract } from '../contract/sink.ts';
import { hostileMessages } from '../support/hostile-message.ts';
import { envelope, sqsEvent } from '../support/messages.ts';
import { runs } from '../support/property-runs.ts';
import { sendWith } from '../support/rocketmq-send.ts';
import { isMissing } from '../support/setup-parts.ts';

const START_TIMEOUT_MS = 180_000;
const PATIENCE = { timeout: 60_000, interval: 100 };
const TIMEOUT_MS = 15_000;
const MINE = ['Read', 'Large', 'Contract', 'Ordered', 'Any', 'Other', 'Groups', 'Timed', 'Restart'];
const USER = { accessKey: 'lambda-user', secretKey: 'lambda-secret', topics: [...MINE, 'Missing'] };
/** Below the client's own limit, and above what a record in an envelope may be. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

const text = (body: string, over: Partial<Message> = {}): Message => ({ body: Buffer.from(body), ...over });
const request = (body: string, over: Partial<RocketMqRequest> = {}): RocketMqRequest => ({
  topic: 'Contract',
  isTopicRendered: false,
  isTypeRendered: false,
  message: text(body),
  ...over,
});
const verdicts = (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => (outcome.status === 'never' ? outcome.error.code : outcome.status));
const options = (over: object) =>
  parseOptions(rocketMqOptions, {
    type: 'rocketmq',
    topic: 'Contract',
    syncTimeoutMs: TIMEOUT_MS,
    ...over,
  }) as Resolved<RocketMqOptions>;

/** Where Apache's client would write its log files. */
function logsOfClient(): string[] {
  const folder = join(homedir(), 'logs/rocketmq');
  return existsSync(folder) ? readdirSync(folder) : [];
}

// One server, which admits one user, by TLS only, to some topics.
describe.skipIf(!isInstalled(home))('gRPC to a proxy of RocketMQ 5', { timeout: START_TIMEOUT_MS }, () => {
  let mq: RocketMq;
  let ca: string;
  let producer: Producer;
  const open = (over: Partial<GrpcProducerOptions> = {}) =>
    openGrpcProducer({
      endpoints: [mq.endpoints!],
      credentials: () => USER,
      tls: { ca },
      timeoutMs: TIMEOUT_MS,
      ...over,
    });
  const sink = (over: object = {}, secrets: readonly string[] = []) => {
    const left = [...secrets];
    return openRocketMq(options({ endpoints: mq.endpoints, ca, ...over }), {
      env: { CREDENTIALS_SECRET_ARN: 'arn:secret' },
      secret: async () => left.shift() ?? JSON.stringify(USER),
    });
  };

  beforeAll(async () => {
    const types: Record<string, 'FIFO' | 'DELAY'> = { Groups: 'FIFO', Ordered: 'FIFO', Timed: 'DELAY' };
    const topics = [...MINE, 'Others'].map((name) => ({ name, ...(types[name] && { type: types[name] }) }));
    const brokerSettings = { maxMessageSize: MAX_MESSAGE_BYTES };
    const consumerGroups = ['outflow-read', 'another-group'];
    mq = await startRocketMq({ home, version: 5, topics, consumerGroups, acl: USER, tls: true, brokerSettings });
    ca = readFileSync(mq.caFile!, 'utf8');
    producer = open();
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    producer?.close();
    await mq?.close();
  });

  it('what it has sent is read by a consumer group, which alone consumes it', async () => {
    const read = async (consumerGroup: string, over: object = {}) => {
      const secret = async () => JSON.stringify(USER);
      const reading = { since: before, limit: 1_000, consumerGroup, ...over };
      const sinkOptions = options({ endpoints: mq.endpoints, ca, topic: 'Read' });
      const records = await readArrived(sinkOptions, { env: { CREDENTIALS_SECRET_ARN: 'arn' }, secret }, reading);
      return records.map(({ body, ...rest }) => ({ ...rest, text: Buffer.from(body, 'base64').toString() }));
    };
    const before = Date.now() - 1_000;
    const parts = { keys: ['k1', 'k2'], tag: 't', properties: { p: 'é' } };
    const send = (texts: readonly string[]) =>
      sendWith(
        producer,
        'Read',
        texts.map((body) => text(body, parts)),
      );
    const first = Array.from({ length: 70 }, (_, n) => `first ${n}`);
    await send(first);
    const some = await read('outflow-read', { limit: 20 });
    const rest = await read('outflow-read');
    expect([...some, ...rest].map((record) => record.text).sort()).toEqual([...first].sort());
    expect(some).toHaveLength(20);
    expect(rest[0]).toMatchObject({
      target: 'Read',
      key: 'k1 k2',
      tag: 't',
      properties: { p: 'é' },
      position: expect.stringMatching(/^[^:]+:\d+:\d+$/),
    });
    expect(rest.every(({ time }) => time >= before && time <= Date.now())).toBe(true);
    await send(['later']);
    expect((await read('outflow-read')).map((record) => record.text)).toEqual(['later']);
    // Another group has consumed nothing.
    expect(await read('another-group')).toHaveLength(71);
    await expect(read('outflow-read', { target: 'Missing' })).rejects.toThrow(/40402.*Missing/);
    await expect(read('no-group')).rejects.toThrow(
      /consumer group no-group does not exist; create it .*--consumer-group/,
    );
  });

  it('what does not fit into one answer is consumed by a later reading', async () => {
    const sinkOptions = options({ endpoints: mq.endpoints, ca, topic: 'Large' });
    const environment = { env: { CREDENTIALS_SECRET_ARN: 'arn' }, secret: async () => JSON.stringify(USER) };
    const read = async () => {
      const records = await readArrived(sinkOptions, environment, { since: 0, limit: 1_000 });
      expect(JSON.stringify(records).length).toBeLessThan(6_000_000);
      return records.map(({ body }) => Buffer.from(body, 'base64')[0]!);
    };
    const bodies = Array.from({ length: 8 }, (_, n) => Buffer.alloc(900_000, n));
    await sendWith(
      producer,
      'Large',
      bodies.map((body) => ({ body })),
    );
    const found = await read();
    expect(found.length).toBeLessThan(bodies.length);
    await vi.waitUntil(async () => {
      found.push(...(await read()));
      return new Set(found).size === bodies.length;
    }, PATIENCE);
  });

  sinkContract<RocketMqRequest>({
    name: 'RocketMQ 5 by its proxy',
    open: () => sink({ inflightWindow: 2 }),
    openUnreachable: () => openRocketMq(options({ endpoints: '127.0.0.1:1', syncTimeoutMs: 1_000 }), { env: {} }),
    request: (body, group = 'k') => request('', { topic: 'Ordered', message: text(body, { group }) }),
    refused: (group) =>
      request('', { topic: 'Ordered', message: { body: Buffer.alloc(MAX_MESSAGE_BYTES + 1), group } }),
    misdirected: () => request('misdirected', { topic: 'Missing' }),
    missingTarget: 'Missing',
    readBack: async () =>
      (await mq.consume('Ordered', { count: await mq.count('Ordered') })).map(({ body }) => `${body}`),
    outage: { begin: () => mq.stopBroker(), end: () => mq.startBroker() },
  });

  it('delivers what it reports as delivered: bytes, keys, tags and properties, with unique ids', async () => {
    const word = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((value) => !/[ |\p{Cc}]/u.test(value) && value.trim() !== '');
    const message: fc.Arbitrary<Message> = fc.record({
      body: fc.uint8Array({ minLength: 1 }),
      keys: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
      tag: fc.option(word, { nil: undefined }),
      properties: fc.dictionary(
        word.map((name) => `p-${name}`),
        word,
        { maxKeys: 4 },
      ),
    });
    const wanted = new Map<string, object>();
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 20 }), async (messages) => {
        (await sendWith(producer, 'Any', messages)).forEach((outcome, i) => {
          if (outcome.status !== 'delivered') throw new Error(JSON.stringify(outcome));
          const { body, keys, tag, properties } = messages[i]!;
          sent++;
          wanted.set(outcome.receipt!, {
            body: Buffer.from(body),
            keys: keys!.join(' '),
            ...(tag !== undefined && { tags: tag }),
            properties: expect.objectContaining({ ...properties }),
          });
        });
      }),
      { numRuns: 20 },
    );
    expect(wanted.size).toBe(sent);
    const stored = await mq.consume('Any', { count: sent });
    expect(stored.length).toBe(sent);
    for (const one of stored) expect(one).toMatchObject(wanted.get(one.messageId)!);
    expect(new Set(stored.map(({ queueId }) => queueId)).size).toBe(4);
  });

  it('keeps the order of each of 40 groups, each in one queue', async () => {
    const sent = Array.from({ length: 400 }, (_, i) => text(`${i}`, { group: `g${i % 40}` }));
    expect(new Set(verdicts(await sendWith(producer, 'Groups', sent)))).toEqual(new Set(['delivered']));
    const stored = await mq.consume('Groups', { count: 400 });
    expect(stored.length).toBe(400);
    for (let g = 0; g < 40; g++) {
      const own = stored.filter(({ properties }) => properties['__SHARDINGKEY'] === `g${g}`);
      expect(new Set(own.map(({ queueId }) => queueId)).size).toBe(1);
      expect(own.map(({ body }) => Number(body))).toEqual(Array.from({ length: 10 }, (_, n) => g + 40 * n));
    }
    expect(new Set(stored.map(({ queueId }) => queueId)).size).toBeGreaterThan(1);
  });

  it('holds a timed message back until its time', async () => {
    const deliverAtMs = Date.now() + 2_000;
    const messages = [text('time', { deliverAtMs }), text('past', { deliverAtMs: 1 })];
    expect(verdicts(await sendWith(producer, 'Timed', messages))).toEqual(['delivered', 'delivered']);
    const stored = await mq.consume('Timed', { count: 2 });
    const of = (body: string) => stored.find((one) => `${one.body}` === body)!;
    expect(of('time').storeTimestamp).toBeGreaterThanOrEqual(deliverAtMs);
    expect(of('past').storeTimestamp).toBeLessThan(of('time').storeTimestamp);
  });

  it('reports whose fault a failure is, and sends the other messages', async () => {
    const day = 86_400_000;
    const failing = async (topic: string, message: Message, over: object = {}) =>
      verdicts(await sendWith(producer, topic, [message, text('fine', { group: message.group! })], over))[0];
    expect(await failing('Missing', text('a'))).toBe('stop');
    expect(await failing('Missing', text('a'), { isTopicRendered: true })).toBe('INVALID_TARGET');
    expect(await failing('Any', text('a', { group: 'g' }))).toBe('stop');
    expect(await failing('Groups', text('a'))).toBe('stop');
    expect(await failing('Groups', text('a'), { isTypeRendered: true })).toBe('INVALID_TARGET');
    // Whatever a message renders: a group, a time, or the name of a topic that the broker uses itself.
    expect(await failing('Any', text('a', { group: 'g' }), { isTypeRendered: true })).toBe('INVALID_TARGET');
    const timed = text('a', { deliverAtMs: Date.now() + day });
    expect(await failing('Any', timed, { isTypeRendered: true })).toBe('INVALID_TARGET');
    expect(await failing('Timed', text('a', { deliverAtMs: MAX_TIME_MS }))).toBe('REJECTED');
    expect(await failing('broker-a', text('a'), { isTopicRendered: true })).toBe('INVALID_TARGET');
    expect(await failing('Others', text('a'))).toBe('stop');
    expect(await failing('Others', text('a'), { isTopicRendered: true })).toBe('INVALID_TARGET');
    expect(await failing('Timed', text('a', { deliverAtMs: Date.now() + 100 * day }))).toBe('REJECTED');
    const large = { body: Buffer.alloc(MAX_MESSAGE_BYTES + 1) };
    expect(verdicts(await sendWith(producer, 'Other', [large, text('small')]))).toEqual([
      'MESSAGE_TOO_LARGE',
      'delivered',
    ]);
  });

  it.each([
    ['Other', 'plain'],
    ['Groups', 'group'],
    ['Timed', 'time'],
    ['Any', 'group'],
    ['Any', 'time'],
  ] as const)('delivers what a device makes a message of, or blames the message: topic %s, %s', async (topic, type) => {
    const rendered = { isTopicRendered: true, isTypeRendered: true };
    await fc.assert(
      fc.asyncProperty(fc.array(hostileMessages(type), { maxLength: 10 }), async (messages) => {
        const outcomes = await sendWith(producer, topic, messages, rendered);
        for (const outcome of outcomes)
          expect(['delivered', 'never'], JSON.stringify(outcome)).toContain(outcome.status);
      }),
      { numRuns: runs(30) },
    );
  });

  it('strict order without groups: one message of a topic after the other (E5)', async () => {
    const strict = sink({ topic: '${topic}' });
    const requests = Array.from({ length: 30 }, (_, i) => request(`strict ${i}`, { topic: i % 2 ? 'Any' : 'Other' }));
    const outcomes = await strict.deliver(requests, { ...minute, order: 'strict' });
    await strict.close();
    expect(new Set(verdicts(outcomes))).toEqual(new Set(['delivered']));
    for (const topic of ['Any', 'Other']) {
      const stored = (await mq.consume(topic)).filter(({ body }) => `${body}`.startsWith('strict'));
      // Queues have no order among them, but the moments at which messages were stored do.
      const byTime = stored.toSorted((a, b) => a.storeTimestamp - b.storeTimestamp);
      const inTurn = byTime.map(({ storeTimestamp }) => storeTimestamp);
      const wanted = stored.toSorted((a, b) => Number(`${a.body}`.slice(7)) - Number(`${b.body}`.slice(7)));
      expect(wanted.map(({ storeTimestamp }) => storeTimestamp)).toEqual(inTurn);
    }
  });

  it('continues with a rotated secret, and stops for a secret that stays refused', async () => {
    const wrong = JSON.stringify({ ...USER, secretKey: 'wrong-secret' });
    const rotated = sink({}, [wrong]);
    const requests = Array.from({ length: 20 }, (_, i) => request(`rotated ${i}`));
    expect(new Set(verdicts(await rotated.deliver(requests, minute)))).toEqual(new Set(['delivered']));
    await rotated.close();

    const refused = sink({}, [wrong, wrong]);
    const [outcome] = await refused.deliver([request('x')], minute);
    expect(outcome).toMatchObject({ status: 'stop', error: { message: expect.stringMatching(/code 40100/) } });
    expect(JSON.stringify(outcome)).not.toContain('wrong-secret');
    // The secret is right by now, and is read at most once a second.
    await vi.waitUntil(
      async () => verdicts(await refused.deliver([request('after the stop')], minute))[0] === 'delivered',
      PATIENCE,
    );
    await refused.close();
  });

  it('stops for unknown users, and for a certificate that it cannot verify', async () => {
    const statusOf = async (over: Partial<GrpcProducerOptions>) => {
      const other = open(over);
      const outcomes = await sendWith(other, 'Any', [text('a')]);
      const test = await other.testConnectivity('Any').then(
        () => 'passes',
        ({ name }: Error) => name,
      );
      other.close();
      return [...verdicts(outcomes), test];
    };
    expect(await statusOf({})).toEqual(['delivered', 'passes']);
    expect(await statusOf({ credentials: undefined as never })).toEqual(['stop', 'StopTask']);
    expect(await statusOf({ credentials: () => ({ ...USER, accessKey: 'unknown' }) })).toEqual(['stop', 'StopTask']);
    expect(await statusOf({ tls: {} })).toEqual(['stop', 'StopTask']);
    expect(await statusOf({ tls: { ca: makeCertificates().ca } })).toEqual(['stop', 'StopTask']);
    expect(await statusOf({ tls: false })).toEqual(['retry', 'RetryLater']);
    // A name of 127.0.0.1 that the certificate does not have.
    const another = mq.endpoints!.replace('127.0.0.1', '127.1');
    expect(await statusOf({ endpoints: [another] })).toEqual(['stop', 'StopTask']);
  });

  it('tests whether a topic may be used, and stores nothing', async () => {
    const before = await mq.count('Any');
    expect(await producer.testConnectivity('Any')).toEqual({
      brokers: [{ name: 'broker-a', address: mq.endpoints, latencyMs: expect.any(Number) }],
      away: [],
    });
    const fresh = open();
    expect((await fresh.testConnectivity()).brokers.map(({ name }) => name)).toEqual(['proxy']);
    fresh.close();
    await expect(producer.testConnectivity('Missing')).rejects.toMatchObject({ name: 'StopTask' });
    expect(await mq.count('Any')).toBe(before);
  });

  it('uses the next proxy when one is away', async () => {
    const two = open({ endpoints: ['127.0.0.1:1', mq.endpoints!] });
    await vi.waitUntil(async () => verdicts(await sendWith(two, 'Any', [text('a')]))[0] === 'delivered', PATIENCE);
    two.close();
  });

  it('MQTT client → rule → queue → worker → proxy, in one process, with no file of logs', async () => {
    const before = logsOfClient();
    const stack = new Stack(new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-')) }), 'Tasks');
    const value = SecretValue.unsafePlainText('not in any template');
    const connector = new RocketMqConnector(stack, 'Mq', {
      endpoints: [mq.endpoints!],
      credentials: new Secret(stack, 'Credentials', { secretStringValue: value }),
      certificateAuthority: ca,
    });
    new OutflowTask(stack, 'Orders', {
      source: new IotTopicSource('orders/#'),
      sink: new RocketMqSink(connector, {
        topic: 'Groups',
        payload: '${payload}',
        key: '${topic}',
        messageGroup: 'one',
      }),
    });
    const errors: Error[] = [];
    const running = await run(readAssembly((stack.node.root as App).synth().directory), {
      onError: (error) => errors.push(error),
      secret: async () => JSON.stringify(USER),
    });
    const client = await mqtt.connectAsync(running.broker.url, { protocolVersion: 5 });
    await client.publishAsync('orders/1', '{ "order": 1 }', { qos: 1 });
    await Promise.all(running.tasks.flatMap(({ mappings }) => mappings.map((mapping) => mapping.settle())));
    const [task] = running.tasks;
    expect(await task!.control!.testConnectivity()).toMatchObject({
      ok: true,
      detail: expect.stringContaining('Groups'),
    });
    await client.endAsync();
    await running.close();
    const stored = (await mq.consume('Groups')).filter(({ keys }) => keys === 'orders/1');
    expect(stored.map(({ body }) => `${body}`)).toEqual(['{ "order": 1 }']);
    expect(errors).toEqual([]);
    expect(logsOfClient()).toEqual(before);
  });

  it.skipIf(isMissing('node24'))('the deployed bundle delivers under Lambda’s Node 24', async () => {
    const asset = mkdtempSync(join(tmpdir(), 'outflow-'));
    cpSync('dist/bundles/rocketmq', asset, { recursive: true });
    const sink = { type: 'rocketmq', endpoints: { $env: 'SINK_ENDPOINTS' }, ca, topic: 'Other', payload: '${payload}' };
    const source = { type: 'iot-core', filters: ['orders/#'] };
    writeFileSync(join(asset, 'spec.json'), JSON.stringify({ v: 1, task: 'Warm', source, sink }));
    const secrets = createServer((_request, response) =>
      response.end(JSON.stringify({ SecretString: JSON.stringify(USER) })),
    );
    await once(secrets.listen(0, '127.0.0.1'), 'listening');
    const child = spawn(node24, ['test/support/invoke.mjs', join(asset, 'index.mjs')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        HOME: asset,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'local',
        AWS_SECRET_ACCESS_KEY: 'local',
        AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${(secrets.address() as AddressInfo).port}`,
        CREDENTIALS_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:mq',
        SINK_ENDPOINTS: mq.endpoints,
        DEAD_LETTER_QUEUE_URL: 'http://127.0.0.1:1/000000000000/dead',
        QUEUE_URL: 'http://127.0.0.1:1/000000000000/main',
        RETRY_QUEUE_URL: 'http://127.0.0.1:1/000000000000/retry',
        CONTROL_QUEUE_URL: 'http://127.0.0.1:1/000000000000/control',
        STACK_NAME: 'Warm',
        RULE_ARNS: 'arn:aws:iot:us-east-1:000000000000:rule/r',
        TARGET_ARN: `rocketmq://${mq.endpoints}/Other`,
      },
    });
    child.stdin.end(JSON.stringify(sqsEvent(['from node 24'].map((payload) => JSON.stringify(envelope(payload))))));
    let printed = '';
    for await (const chunk of child.stdout) {
      printed += chunk;
      // Lambda freezes a sandbox after its answer; the open connection would keep the process.
      if (printed.includes('"answer"')) child.kill();
    }
    secrets.close();
    const lines = printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({ node: expect.stringMatching(/^v24\./), answer: { batchItemFailures: [] } });
    expect(lines).toContainEqual(expect.objectContaining({ task: 'Warm', received: 1, delivered: 1 }));
    expect((await mq.consume('Other')).map(({ body }) => `${body}`)).toContain('from node 24');
    expect(readdirSync(asset)).not.toContain('logs');
    rmSync(asset, { recursive: true });
  });

  it('loses nothing that it reported as delivered when the proxy dies, and continues when it is back', async () => {
    const producer = open({ timeoutMs: 2_000 });
    const delivered = new Set<string>();
    const seen = new Set<string>();
    let n = 0;
    let isOver = false;
    const traffic = (async () => {
      while (!isOver) {
        const bodies = Array.from({ length: 20 }, () => `${n++}`);
        const outcomes = await sendWith(
          producer,
          'Restart',
          bodies.map((body) => text(body)),
        );
        outcomes.forEach(({ status }, i) => {
          seen.add(status);
          if (status === 'delivered') delivered.add(bodies[i]!);
        });
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    await vi.waitUntil(() => delivered.size > 100, PATIENCE);
    await mq.stopBroker();
    await vi.waitUntil(() => seen.has('retry'), PATIENCE);
    await mq.startBroker();
    const before = delivered.size;
    await vi.waitUntil(() => delivered.size > before + 100, PATIENCE);
    isOver = true;
    await traffic;
    producer.close();
    expect([...seen].sort()).toEqual(['delivered', 'retry']);
    const stored = new Set((await mq.consume('Restart', { count: delivered.size })).map(({ body }) => `${body}`));
    expect([...delivered].filter((body) => !stored.has(body))).toEqual([]);
  });
});

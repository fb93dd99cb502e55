import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { App, Stack } from 'aws-cdk-lib';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseOptions } from '../../lambdas/core/options.ts';
import { rocketMqOptions } from '../../lambdas/deliver/rocketmq/config.ts';
import { compileRocketMq } from '../../lambdas/deliver/rocketmq/render.ts';
import { openRocketMq } from '../../lambdas/deliver/rocketmq/sink.ts';
import { forward } from '../../lambdas/source/logs/forward.ts';
import { hookValue } from '../../lib/hooks.ts';
import {
  ClientEventsSource,
  type HookEvent,
  IotTopicSource,
  OutflowTask,
  RocketMqConnector,
  RocketMqHooks,
  RocketMqSink,
} from '../../lib/index.ts';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import { type Run, run } from '../../localstack/one-process/run.ts';
import { rocketMqHome as home, isInstalled } from '../../localstack/servers/rocketmq/install.mjs';
import { type RocketMq, startRocketMq } from '../../localstack/servers/rocketmq/start.ts';
import { minute } from '../contract/sink.ts';

const START_TIMEOUT_MS = 180_000;
const HOOKS = [
  'client.connected',
  'client.disconnected',
  'session.subscribed',
  'session.unsubscribed',
  'message.publish',
  'message.delivered',
  'message.acked',
] as const satisfies readonly HookEvent[];
const topicOf = (event: HookEvent) => event.replace('.', '_');
const golden = (event: HookEvent) => readFileSync(`test/golden/hooks/${event}.json`, 'utf8');
const DELIVERED_TO_READER = readFileSync('test/golden/publish-out-log.json', 'utf8');

describe.skipIf(!isInstalled(home)).each([4, 5] as const)(
  'what clients do, in RocketMQ %i',
  { timeout: START_TIMEOUT_MS },
  (version) => {
    let mq: RocketMq;
    let running: Run;
    const errors: Error[] = [];
    const task = (name: string) => running.tasks.find((one) => one.name === name)!;
    const texts = async (topic: string, count: number) =>
      (await mq.consume(topic, { count })).map(({ body }) => `${body}`);
    /** Resolves when a task has received this number of messages and processed all of them. */
    async function through(name: string, incoming: number) {
      await expect.poll(() => task(name).counters.incoming, { timeout: 30_000 }).toBe(incoming);
      await Promise.all(task(name).mappings.map((mapping) => mapping.settle()));
    }

    const other = { topic: 'Other', key: '${clientid}', tag: 'hook', messageGroup: '$.data.clientid' };
    beforeAll(async () => {
      const topics = ['TopicTest', 'Other', ...HOOKS.map(topicOf)].map((name) => ({ name }));
      mq = await startRocketMq({ home, version, topics });
      const stack = new Stack(new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-')) }), 'Tasks');
      const connector = new RocketMqConnector(stack, 'my_rocketmq', { nameServers: [mq.nameServer], tls: false });
      new OutflowTask(stack, 'my_rule', {
        source: new IotTopicSource('t/#'),
        sink: new RocketMqSink(connector, { topic: 'TopicTest', payload: '${payload}' }),
      });
      new OutflowTask(stack, 'my_events', {
        source: new ClientEventsSource({ events: ['connected', 'disconnected'] }),
        filter: { data: { clientid: ['emqx_c'] } },
        sink: new RocketMqSink(connector, { topic: 'TopicTest' }),
      });
      const hook = (event: HookEvent, filter?: string) => [{ topic: topicOf(event), ...(filter && { filter }) }];
      new RocketMqHooks(stack, 'hooks', {
        connector,
        filter: { data: { clientid: ['plant/1', 'reader'] } },
        deliveredLog: new LogGroup(stack, 'PublishOut'),
        hooks: {
          'client.connected': hook('client.connected'),
          'client.disconnected': hook('client.disconnected'),
          'session.subscribed': hook('session.subscribed', 'a/#'),
          'session.unsubscribed': hook('session.unsubscribed', 'a/#'),
          'message.publish': [...hook('message.publish'), { filter: 'a/+', ...other }],
          'message.delivered': hook('message.delivered'),
        },
      });
      running = await run(readAssembly((stack.node.root as App).synth().directory), {
        onError: (error) => errors.push(error),
      });
    }, START_TIMEOUT_MS);
    afterAll(async () => {
      await running?.close();
      await mq?.close();
      expect(errors).toEqual([]);
    });

    it('connect, publish and disconnect are three messages of three kinds, the payload byte for byte (A27–A29)', async () => {
      const client = await mqtt.connectAsync(running.broker.url, { clientId: 'emqx_c' });
      await client.publishAsync('t/1', '{ "msg": "hello RocketMQ" }', { qos: 1 });
      await client.endAsync();
      await Promise.all([through('my_rule', 1), through('my_events', 2)]);

      const messages = await texts('TopicTest', 3);
      expect(await mq.count('TopicTest')).toBe(3);
      expect(messages).toContain('{ "msg": "hello RocketMQ" }');
      const events = messages.filter((text) => text.includes('"event"')).map((text) => JSON.parse(text));
      expect(events).toHaveLength(2);
      expect(events).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ event: 'client.connected', clientid: 'emqx_c', peerhost: '127.0.0.1' }),
          expect.objectContaining({ event: 'client.disconnected', reason: 'CLIENT_INITIATED_DISCONNECT' }),
        ]),
      );
      expect(new Set(events.map(({ session_identifier: session }) => session)).size).toBe(1);
      expect(task('my_rule').counters).toMatchObject({ incoming: 1, outgoing: 1, deadLettered: 0 });
      expect(task('my_events').counters).toMatchObject({ incoming: 2, outgoing: 2, deadLettered: 0 });
    });

    it('each hook writes the plugin’s keys in their order (B11–B19, B21)', async () => {
      const before = task('hooks').counters.incoming;
      const client = await mqtt.connectAsync(running.broker.url, { clientId: 'plant/1', protocolVersion: 5 });
      await client.subscribeAsync(['a/#', 'b/1']);
      const properties = { userProperties: { username: 'u', qos: '1' } };
      await client.publishAsync('a/x', Buffer.from([0xff, 0x00, 0x7b]), { qos: 1, properties });
      await client.unsubscribeAsync(['b/1', 'a/#']);
      await client.endAsync();
      const entries = [{ id: '1', timestamp: 1_795_251_600_000, message: DELIVERED_TO_READER }];
      const recorded = { messageType: 'DATA_MESSAGE', logEvents: entries };
      const queue = task('hooks').queue!;
      await forward(
        { awslogs: { data: gzipSync(JSON.stringify(recorded)).toString('base64') } },
        {
          api: sendsTo(queue),
          queueUrl: queue.url,
          topicFilters: ['#'],
          log: (entry) => expect.unreachable(JSON.stringify(entry)),
        },
      );
      await through('hooks', before + 5);

      for (const event of HOOKS.filter((event) => event !== 'message.acked')) {
        const [text, ...more] = await texts(topicOf(event), 1);
        expect([event, withoutTime(text!), more]).toEqual([event, golden(event), []]);
      }
      expect((await texts('Other', 1)).map(withoutTime)).toEqual([golden('message.publish')]);
      const [consumed] = await mq.consume('Other');
      expect([consumed!.keys, consumed!.tags, consumed!.properties['__SHARDINGKEY']]).toEqual([
        'plant/1',
        'hook',
        'plant/1',
      ]);
    });

    it('message.acked has its shape, should anything ever report it (B17)', async () => {
      const options = parseOptions(rocketMqOptions, {
        type: 'rocketmq',
        nameServers: mq.nameServer,
        tls: false,
        topic: topicOf('message.acked'),
        payload: hookValue('message.acked'),
      });
      const event = { id: '1', data: { clientid: 'reader', username: null, topic: 'a/x', timestamp: 1 } };
      const render = compileRocketMq(options as Parameters<typeof compileRocketMq>[0], 'fail');
      const sink = openRocketMq(options as Parameters<typeof openRocketMq>[0], { env: {} });
      const [outcome] = await sink.deliver([render({}, event)], minute);
      await sink.close();
      expect(outcome!.status).toBe('delivered');
      expect((await texts(topicOf('message.acked'), 1)).map(withoutTime)).toEqual([golden('message.acked')]);
    });
  },
);

function withoutTime(text: string): string {
  expect(text).toMatch(/"ts":\d+/);
  return text.replace(/"ts":\d+/, '"ts":0');
}

function sendsTo(queue: { send(message: { body: string }): unknown }): Parameters<typeof forward>[1]['api'] {
  return {
    ...({} as Parameters<typeof forward>[1]['api']),
    async sendBatch({ Entries = [] }) {
      for (const { MessageBody } of Entries) queue.send({ body: MessageBody! });
      return { Successful: Entries.map(({ Id }) => ({ Id, MessageId: Id, MD5OfMessageBody: '' })), Failed: [] };
    },
  };
}

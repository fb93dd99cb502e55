import { Publishing, Settings } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import {
  ReconnectEndpointsCommand,
  TelemetryCommand,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import { afterEach, expect, it, vi } from 'vitest';
import { type Client, openClient } from '../../../../lambdas/deliver/rocketmq/grpc/client.ts';
import { toProtocolMessage } from '../../../../lambdas/deliver/rocketmq/grpc/message.ts';
import { systemClock } from '../../../../lambdas/net/clock.ts';
import { deadlineIn } from '../../../../lambdas/net/deadline.ts';
import { type ProxyOptions, type ScriptedProxy, scriptedProxy } from './scripted-proxy.ts';

const OK = 20_000;
const MISSING = 40_402;
const NOT_RECOGNISED = 40_015;
const NEVER = new Promise<number>(() => {});

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0).reverse()) one.close();
});

interface Opened {
  readonly proxy: ScriptedProxy;
  readonly client: Client;
  send(body?: string, topic?: string): Promise<string>;
  /** Moves the wall clock. */
  pass(ms: number): void;
}

async function opened(react: () => number | Promise<number> = () => OK, options?: ProxyOptions): Promise<Opened> {
  const proxy = await scriptedProxy(react, options);
  let passedMs = 0;
  const clock = { ...systemClock, wallMs: () => passedMs };
  const client = openClient({
    endpoint: proxy.endpoint,
    credentials: undefined,
    namespace: 'ns',
    tls: false,
    timeoutMs: 10_000,
    clock,
  });
  open.push(proxy, client);
  let sent = 0;
  return {
    proxy,
    client,
    pass: (ms) => {
      passedMs += ms;
    },
    send(body = 'x', topic = 'T') {
      const context = { id: `${sent++}`, namespace: 'ns', maxMessageBytes: 1_000 };
      return client.send(toProtocolMessage(topic, { body: Buffer.from(body) }, context), deadlineIn(10_000, clock));
    },
  };
}

const settingsOf = ({ proxy: { sessions } }: Opened, n: number) =>
  vi.waitUntil(() => sessions[n]?.settings[0]?.toObject());

it('queries a route once, and again after a refusal that may be due to it', async () => {
  let code = OK;
  const { proxy, send } = await opened(() => code);
  await Promise.all([send(), send(), send()]);
  await send();
  expect(proxy.routeQueries).toEqual(['T']);
  code = MISSING;
  await expect(send()).rejects.toThrow('40402');
  code = OK;
  await send();
  expect(proxy.routeQueries).toEqual(['T', 'T']);
});

it('reports the namespace beside the topic', async () => {
  const one = await opened();
  await one.send();
  expect(one.proxy.sends).toMatchObject([{ topic: 'T', namespace: 'ns' }]);
  expect((await settingsOf(one, 0)).publishing!.topicsList).toEqual([{ name: 'T', resourceNamespace: 'ns' }]);
});

it('opens one telemetry stream, and another with a heartbeat 10 s after the first has ended', async () => {
  const one = await opened();
  const { proxy, send, pass } = one;
  await send();
  await settingsOf(one, 0);
  proxy.sessions[0]!.end();
  pass(9_999);
  await send();
  expect([proxy.sessions.length, proxy.heartbeats()]).toEqual([1, 0]);
  pass(1);
  await vi.waitUntil(async () => {
    await send();
    pass(10_000);
    return proxy.sessions.length > 1;
  });
  await settingsOf(one, 1);
  expect(proxy.heartbeats()).toBeGreaterThan(0);
  expect(new Set(proxy.sessions.map(({ clientId }) => clientId)).size).toBe(1);
});

it('opens another telemetry stream when a proxy requests a reconnection', async () => {
  const one = await opened();
  await one.send();
  await settingsOf(one, 0);
  one.proxy.sessions[0]!.write(new TelemetryCommand().setReconnectEndpointsCommand(new ReconnectEndpointsCommand()));
  await vi.waitUntil(async () => {
    one.pass(10_000);
    await one.send();
    return one.proxy.sessions.length > 1;
  });
});

it('sends no body that a proxy reports to be too large', async () => {
  const one = await opened();
  await one.send('x'.repeat(100));
  await settingsOf(one, 0);
  const settings = new Settings().setPublishing(new Publishing().setMaxBodySize(99));
  one.proxy.sessions[0]!.write(new TelemetryCommand().setSettings(settings));
  await vi.waitUntil(() =>
    one.send('x'.repeat(100)).then(
      () => false,
      (error) => error.code === 'MESSAGE_TOO_LARGE',
    ),
  );
  await one.send('x'.repeat(99));
});

it('sends heartbeats until it is recognised', async () => {
  let unrecognised = 2;
  const { client, proxy } = await opened(() => OK, { heartbeat: () => (unrecognised-- > 0 ? NOT_RECOGNISED : OK) });
  await client.heartbeat(client.proxy, 'T', deadlineIn(10_000, systemClock));
  expect(proxy.heartbeats()).toBe(3);
});

it('ends its running calls when it is closed, and rejects later ones', async () => {
  const { client, proxy, send } = await opened(() => NEVER);
  const sending = send();
  await vi.waitUntil(() => proxy.sends.length === 1);
  client.close();
  await expect(sending).rejects.toThrow('CANCELLED');
  await expect(send()).rejects.toThrow('closed');
});

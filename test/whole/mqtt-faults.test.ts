import { setTimeout as sleep } from 'node:timers/promises';
import { Duration, SecretValue, type Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import fc from 'fast-check';
import mqtt, { type IPublishPacket } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, type TestContext, vi } from 'vitest';
import type { Resolved } from '../../lambdas/core/deploy-time.ts';
import { parseOptions } from '../../lambdas/core/options.ts';
import { type MqttOptions, mqttOptions } from '../../lambdas/deliver/mqtt/config.ts';
import { mqttSink } from '../../lambdas/deliver/mqtt/sink.ts';
import { systemClock } from '../../lambdas/net/clock.ts';
import { type Client, openClient } from '../../lambdas/net/mqtt/client.ts';
import type { Stack as ReadStack } from '../../localstack/one-process/assembly.ts';
import { makeAuthority } from '../../localstack/servers/certificates.ts';
import { faultProxyHome, isInstalled as hasFaultProxy } from '../../localstack/servers/fault-proxy/install.mjs';
import { type FaultProxy, type Link, startFaultProxy, type Toxic } from '../../localstack/servers/fault-proxy/start.ts';
import { mqttBrokersHome as home, isInstalled } from '../../localstack/servers/mqtt-brokers/install.mjs';
import { type MqttBroker, startHiveMq, startMosquitto } from '../../localstack/servers/mqtt-brokers/start.ts';
import { type DeclaredMqtt, type MqttReader, openMqttReader, synthesizeMqtt } from '../support/mqtt-task.ts';
import { balanced, PATIENCE, startTaskUnderTest, texts } from '../support/task-under-test.ts';
import { type Face, startTlsFront, type TlsFront } from '../support/tls-front.ts';

const START_TIMEOUT_MS = 180_000;
const USER = { username: 'worker', password: 'first-password' };
/** Where no retry is expected, a busy machine must not cause one. */
const PATIENT = { publishTimeout: Duration.seconds(30) };
const HASTY = { publishTimeout: Duration.seconds(1) };

/** Tasks whose links get faults. Each has a link of its own. */
const LINKED: Readonly<Record<string, Pick<DeclaredMqtt, 'to'>>> = {
  Away: { to: PATIENT },
  Dies: { to: { ...PATIENT, inflightWindow: 40 } },
  Late: { to: HASTY },
  Narrow: { to: HASTY },
  Mute: { to: HASTY },
  MuteAmid: { to: HASTY },
  Slow: { to: PATIENT },
  Again: { to: PATIENT },
  ResetUp: { to: PATIENT },
  ResetDown: { to: PATIENT },
  Sliced: { to: PATIENT },
  Cut: { to: PATIENT },
  Twice: { to: { ...PATIENT, qos: 2 } },
  Once: { to: { ...PATIENT, qos: 0 } },
};

const authority = makeAuthority('Outflow test front');
const faces: [what: string, name: string, face: Face, cause: RegExp][] = [
  ['of an unknown issuer', 'UnknownIssuer', makeAuthority('Somebody').issue(), /verify|issuer|self.signed/i],
  ['that has expired', 'Expired', authority.issue({ isExpired: true }), /expired/],
  ['for another host', 'OtherHost', authority.issue({ host: 'other.example' }), /altnames/],
];
const secretText = (password: string) => JSON.stringify({ ...USER, password });

describe.skipIf(!isInstalled(home) || !hasFaultProxy(faultProxyHome)).each([
  { name: 'mosquitto', startBroker: startMosquitto },
  { name: 'HiveMQ', startBroker: startHiveMq },
])('a task whose MQTT broker fails: $name', { timeout: 300_000 }, ({ startBroker }) => {
  let broker: MqttBroker;
  let proxy: FaultProxy;
  let reader: MqttReader;
  let stacks: readonly ReadStack[];
  const links = new Map<string, Link>();
  const fronts = new Map<string, TlsFront>();

  beforeAll(async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    proxy = await startFaultProxy({ home: faultProxyHome });
    broker = await startBroker({
      home,
      users: { [USER.username]: USER.password },
      anonymous: true,
      deniedTopics: ['denied/#'],
    });
    reader = await openMqttReader(broker);
    const credentials = (stack: Stack) =>
      new Secret(stack, 'User', { secretStringValue: SecretValue.unsafePlainText('not used') });
    const address = `${broker.host}:${broker.port}`;
    const tasks: Record<string, DeclaredMqtt> = {
      Restarts: { connector: () => ({ server: `mqtt://${address}` }), to: PATIENT },
      Denied: { connector: () => ({ server: `mqtt://${address}` }), to: { topic: 'denied/Denied' } },
      Expires: { connector: () => ({ server: `mqtt://${address}` }), requestTtl: Duration.seconds(100) },
      Nowhere: { connector: () => ({ server: 'mqtt://nowhere.invalid' }) },
      Plain: { connector: () => ({ server: `mqtts://${address}` }) },
      Password: { connector: (stack) => ({ server: `mqtt://${address}`, credentials: credentials(stack) }) },
      Rotated: { connector: (stack) => ({ server: `mqtt://${address}`, credentials: credentials(stack) }) },
    };
    for (const [name, , face] of faces.map(([, ...rest]) => [rest[0], rest[0], rest[1]] as const)) {
      const front = await startTlsFront(`${broker.host}:${broker.tlsPort}`, { ca: broker.ca, face });
      fronts.set(name, front);
      tasks[name] = {
        connector: () => ({ server: `mqtts://${front.address}`, certificateAuthority: authority.ca }),
      };
    }
    for (const [name, declared] of Object.entries(LINKED)) {
      const link = await proxy.link({ upstream: address });
      links.set(name, link);
      tasks[name] = { ...declared, connector: () => ({ server: `mqtt://${link.address}` }) };
    }
    stacks = synthesizeMqtt(tasks);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    for (const front of fronts.values()) await front.close();
    reader?.close();
    await proxy?.close();
    await broker?.close();
    vi.unstubAllEnvs();
  });

  const start = async (test: TestContext, name: string, secret?: (arn: string) => Promise<string>) => {
    const link = links.get(name)!;
    const started = await startTaskUnderTest(test, stacks, name, { readBack: () => reader.read(name), secret });
    const repair = async () => {
      await link.clear();
      await link.up();
    };
    return { ...started, link, repair };
  };

  // These tests wait for timeouts more than they compute.
  describe('by its network', { concurrent: true }, () => {
    it('delivers once the broker is up, which was down at first (F01)', async (test) => {
      const { link, task, reasons, publish, drained, books } = await start(test, 'Away');
      await link.down();
      await publish(texts(50));
      await vi.waitUntil(() => task.counters.retried >= 2 * 50, PATIENCE);
      expect([...reasons].join()).toContain('ECONNREFUSED');
      expect((await books()).delivered).toBe(0);
      await link.up();
      await drained();
      expect(await books()).toEqual(balanced(50, { duplicates: 0 }));
    });

    it('owes only unacknowledged messages when the broker goes down amid batches (F02)', async (test) => {
      const { link, task, publish, drained, books, repair } = await start(test, 'Dies');
      await link.add({ type: 'latency', latencyMs: 500 });
      await publish(texts(300));
      await vi.waitUntil(() => task.counters.outgoing > 0, PATIENCE);
      await link.down();
      await vi.waitUntil(() => task.counters.retried > 0, PATIENCE);
      await repair();
      await drained();
      const found = await books();
      expect(found).toEqual(balanced(300));
      // The answers to at most one window were lost.
      expect(found.duplicates).toBeLessThanOrEqual(40);
    });

    const slow: [string, string, Toxic[]][] = [
      ['a broker that answers too late', 'Late', [{ type: 'latency', latencyMs: 10_000 }]],
      [
        'a broker that takes too little at a time',
        'Narrow',
        [{ type: 'bandwidth', kilobytesPerSecond: 1, direction: 'upstream' }],
      ],
      ['a broker that hangs', 'Mute', [{ type: 'timeout', timeoutMs: 0, direction: 'upstream' }]],
      [
        'a broker that hangs amid its answers',
        'MuteAmid',
        [
          { type: 'limit_data', bytes: 60 },
          { type: 'slow_close', delayMs: 600_000 },
        ],
      ],
    ];
    it.for(slow)('ends before its deadline with %s (F03, F04)', async (given, test) => {
      const [, name, toxics] = given;
      const { link, task, errors, reasons, publish, drained, books, repair } = await start(test, name);
      for (const toxic of toxics) await link.add(toxic);
      await publish(texts(40, 8_000));
      await vi.waitUntil(() => task.counters.retried > 0, PATIENCE);
      expect([...reasons].join()).toMatch(/no answer within|no CONNACK within/);
      await repair();
      await drained();
      // An invocation that timed out would be an error.
      expect(errors).toEqual([]);
      expect(await books()).toEqual(balanced(40));
    });

    it('waits for slow answers (F03)', async (test) => {
      const { link, task, publish, drained, books } = await start(test, 'Slow');
      await link.add({ type: 'latency', latencyMs: 300, jitterMs: 200 });
      await link.add({ type: 'bandwidth', kilobytesPerSecond: 100, direction: 'upstream' });
      await publish(texts(100, 400));
      await drained();
      expect(task.counters.retried).toBe(0);
      expect(await books()).toEqual(balanced(100, { duplicates: 0 }));
    });

    it('reconnects within one batch after its connections were closed (F05, F20)', async (test) => {
      const { link, task, publish, drained, books } = await start(test, 'Again');
      await publish(texts(20, 40, 'before'));
      await drained();
      await link.down();
      await link.up();
      await publish(texts(20, 40, 'after'));
      await drained();
      expect(task.counters.retried).toBe(0);
      expect(await books()).toEqual(balanced(40, { duplicates: 0 }));
    });

    it.for([
      ['upstream', 'ResetUp'],
      ['downstream', 'ResetDown'],
    ] as const)('owes what resets %s have stopped (F05)', async ([direction, name], test) => {
      const { link, task, publish, drained, books, repair } = await start(test, name);
      await link.add({ type: 'reset_peer', timeoutMs: 0, direction });
      await publish(texts(30));
      await vi.waitUntil(() => task.counters.retried >= 30, PATIENCE);
      await repair();
      await drained();
      expect(await books()).toEqual(balanced(30));
    });

    it('tolerates sliced data and slow closes (F05)', async (test) => {
      const { link, task, publish, drained, books } = await start(test, 'Sliced');
      const slicer: Toxic = { type: 'slicer', averageBytes: 30, variationBytes: 20, delayUs: 100 };
      await link.add(slicer);
      await link.add({ ...slicer, direction: 'upstream' });
      await link.add({ type: 'slow_close', delayMs: 1_000 });
      await publish(texts(100, 200));
      await drained();
      expect(task.counters.retried).toBe(0);
      expect(await books()).toEqual(balanced(100, { duplicates: 0 }));
    });

    it('loses no message and blames none, wherever connections are cut (F05)', async (test) => {
      const { link, task, publish, drained, books, repair } = await start(test, 'Cut');
      const place = fc.record({
        bytes: fc.integer({ min: 0, max: 2_000 }),
        direction: fc.constantFrom('upstream' as const, 'downstream' as const),
      });
      let published = 0;
      await fc.assert(
        fc.asyncProperty(place, async (cut) => {
          await link.add({ type: 'limit_data', ...cut });
          const attempts = () => task.counters.outgoing + task.counters.retried + task.counters.parked;
          const before = attempts();
          await publish(texts(30, 100, `after ${published}`));
          published += 30;
          await vi.waitUntil(() => attempts() >= before + 30, PATIENCE);
          await repair();
          await drained();
          expect(await books()).toEqual(balanced(published));
        }),
        { numRuns: 6, endOnFailure: true },
      );
    });

    it.for([
      ['Twice', 2],
      ['Once', 0],
    ] as const)('loses no message when its link goes down: %s, QoS %i (F22)', async ([name], test) => {
      const { link, task, publish, drained, books, repair } = await start(test, name);
      await link.add({ type: 'latency', latencyMs: 300 });
      await publish(texts(200));
      await vi.waitUntil(() => task.counters.outgoing > 0, PATIENCE);
      await link.down();
      await vi.waitUntil(() => task.counters.retried > 0, PATIENCE);
      await repair();
      await drained();
      expect(await books()).toEqual(balanced(200));
    });

    it('owes its messages while the name has no address (F26)', async (test) => {
      const { task, reasons, publish, books } = await start(test, 'Nowhere');
      await publish(texts(20));
      await vi.waitUntil(() => task.counters.retried >= 20, PATIENCE);
      expect([...reasons].join()).toContain('DNS: ');
      expect(task.control!.state.status).not.toBe('Start Failed');
      expect(await books()).toEqual(balanced(20, { delivered: 0, buffered: 20, duplicates: 0 }));
    });

    it('fails closed at a port without TLS (F23, S16)', async (test) => {
      const { task, reasons, publish, books } = await start(test, 'Plain');
      await publish(texts(20));
      await vi.waitUntil(() => task.counters.retried + task.counters.parked >= 20, PATIENCE);
      expect([...reasons].join()).toMatch(/TLS|ECONNRESET/);
      expect(await books()).toEqual(balanced(20, { delivered: 0, buffered: 20, duplicates: 0 }));
    });

    it.for(faces)(
      'stops for a certificate %s, and goes on with a valid one (F23, S16)',
      async ([, name, , cause], test) => {
        const { task, publish, hasStatus, drained, books } = await start(test, name);
        await publish(texts(30));
        await hasStatus('Start Failed');
        expect(task.control!.state.cause).toMatch(cause);
        expect(await books()).toEqual(balanced(30, { delivered: 0, buffered: 30, duplicates: 0 }));
        fronts.get(name)!.show(authority.issue());
        await drained();
        await hasStatus('Running');
        expect(await books()).toEqual(balanced(30, { duplicates: 0 }));
      },
    );

    it('stops for a wrong password with its backlog, and goes on with the right one without an operator (F24)', async (test) => {
      let password = 'wrong-password';
      const secret = async () => secretText(password);
      const { task, publish, hasStatus, held, drained, books } = await start(test, 'Password', secret);
      await publish(texts(40, 40, 'before'));
      await hasStatus('Start Failed');
      expect(task.control!.state.cause).toMatch(/bad user name or password|not authorized/);
      expect(task.control!.state.cause).not.toContain(password);
      await publish(texts(40, 40, 'after'));
      expect(held()).toBe(80);
      expect(await books()).toEqual(balanced(80, { delivered: 0, buffered: 80, duplicates: 0 }));
      ({ password } = USER);
      await drained();
      await hasStatus('Running');
      expect(await books()).toEqual(balanced(80, { duplicates: 0 }));
    });

    it('stops for a denied topic that the task names, with its backlog (F24)', async (test) => {
      const { task, publish, hasStatus, books } = await start(test, 'Denied');
      await publish(texts(20));
      await hasStatus('Start Failed');
      expect(task.control!.state.cause).toContain('not authorized');
      expect(await books()).toEqual(balanced(20, { delivered: 0, buffered: 20, duplicates: 0 }));
    });
  });

  /** Publishes without a pause until the test stops it. */
  function startTraffic(test: TestContext, publish: (texts: readonly string[]) => Promise<void>) {
    let n = 0;
    let isOver = false;
    const traffic = (async () => {
      while (!isOver) {
        await publish(texts(20, 60, `part ${n++}`));
        await sleep(20);
      }
    })();
    const stop = async () => {
      isOver = true;
      await traffic;
      return 20 * n;
    };
    test.onTestFinished(async () => void (await stop()));
    return stop;
  }

  it('loses no message when the broker is stopped, frozen and restarted amid batches (F02, F19)', async (test) => {
    const { task, publish, drained, books } = await start(test, 'Restarts');
    const stop = startTraffic(test, publish);
    const more = async (of: 'outgoing' | 'retried', count: number) => {
      const before = task.counters[of];
      await vi.waitUntil(() => task.counters[of] >= before + count, PATIENCE);
    };
    await more('outgoing', 200);
    for (let stops = 0; stops < 2; stops++) {
      await broker.stop();
      await more('retried', 20);
      await broker.restart();
      await more('outgoing', 200);
    }
    const { pid } = broker;
    process.kill(pid!, 'SIGSTOP');
    await sleep(3_000);
    process.kill(pid!, 'SIGCONT');
    await more('outgoing', 200);
    const published = await stop();
    await drained();
    expect(await books()).toEqual(balanced(published));
  });

  it('goes on with a password that is rotated under load, and dead-letters nothing (F25)', async (test) => {
    let { password } = USER;
    const { task, publish, hasStatus, drained, books } = await start(test, 'Rotated', async () => secretText(password));
    const stop = startTraffic(test, publish);
    await vi.waitUntil(() => task.counters.outgoing >= 200, PATIENCE);
    await broker.setPassword(USER.username, 'second-password');
    const before = task.counters.outgoing;
    password = 'second-password';
    await vi.waitUntil(() => task.counters.outgoing >= before + 200, PATIENCE);
    const published = await stop();
    await drained();
    await hasStatus('Running');
    expect(await books()).toEqual(balanced(published));
    await broker.setPassword(USER.username, USER.password);
  });

  it('leaves a message the rest of its request TTL, which the broker counts down (F14)', async (test) => {
    const session = {
      protocolVersion: 5 as const,
      clientId: 'offline',
      clean: false,
      reconnectPeriod: 0,
      properties: { sessionExpiryInterval: 300 },
    };
    const url = `mqtt://${broker.host}:${broker.port}`;
    const before = await mqtt.connectAsync(url, session);
    await before.subscribeAsync('Expires/out', { qos: 1 });
    await before.endAsync();
    const { publish, drained } = await start(test, 'Expires');
    await publish(texts(1));
    await drained();
    // The broker counts whole seconds.
    await sleep(2_500);
    const after = mqtt.connect(url, session);
    const packet = await new Promise<IPublishPacket>((resolve) => {
      after.once('message', (_topic, _payload, received) => resolve(received));
    });
    await after.endAsync();
    const left = packet.properties?.messageExpiryInterval;
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(98);
  });

  it('replaces an idle connection that does not answer, and publishes each message once', async () => {
    const options = parseOptions(mqttOptions, {
      type: 'mqtt',
      server: `mqtt://${broker.host}:${broker.port}`,
      topic: 'Idle/out',
    }) as Resolved<MqttOptions>;
    let jumpMs = 0;
    const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + jumpMs };
    const client = openClient({ options, ca: undefined, env: {}, readSecret: async () => '', clock });
    let connections = 0;
    const connect: Client['connect'] = (...arguments_) => {
      // The probe has had no answer: the broker goes on.
      if (++connections === 2) process.kill(broker.pid!, 'SIGCONT');
      return client.connect(...arguments_);
    };
    const sink = mqttSink(options, () => ({ ...client, connect }), { clock });
    const deliver = async (all: readonly string[]) => {
      const requests = all.map((text) => ({
        topic: 'Idle/out',
        isTopicRendered: false,
        payload: Buffer.from(text),
        qos: 1 as const,
        retain: false,
        isRetainRendered: false,
        properties: { userProperties: [] },
      }));
      return (await sink.deliver(requests, { remainingMs: () => 60_000 })).map(({ status }) => status);
    };
    const [before, after] = [texts(20, 40, 'before'), texts(20, 40, 'after')];
    expect(await deliver(before)).toEqual(before.map(() => 'delivered'));
    jumpMs = 3_600_000;
    process.kill(broker.pid!, 'SIGSTOP');
    expect(await deliver(after)).toEqual(after.map(() => 'delivered'));
    expect(connections).toBe(2);
    expect((await reader.read('Idle')).map(({ text }) => text)).toEqual([...before, ...after]);
    await sink.close();
  });
});

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Resolved } from '../../lambdas/core/deploy-time.ts';
import { parseOptions } from '../../lambdas/core/options.ts';
import { type MqttOptions, mqttOptions } from '../../lambdas/deliver/mqtt/config.ts';
import type { MqttRequest } from '../../lambdas/deliver/mqtt/message.ts';
import { openMqtt } from '../../lambdas/deliver/mqtt/sink.ts';
import type { Outcome } from '../../lambdas/deliver/sink.ts';
import { mqttBrokersHome as home, isInstalled } from '../../localstack/servers/mqtt-brokers/install.mjs';
import {
  type MqttBroker,
  startArtemis,
  startHiveMq,
  startMosquitto,
} from '../../localstack/servers/mqtt-brokers/start.ts';
import { minute, sinkContract } from '../contract/sink.ts';
import { connectMqtt } from '../support/mqtt-client.ts';

const START_TIMEOUT_MS = 120_000;
const PATIENCE = { timeout: 20_000, interval: 5 };
const MAX_PACKET_BYTES = 500_000;
const VERSIONS = [5, 4, 3] as const;

const options = (over: object) =>
  parseOptions(mqttOptions, { type: 'mqtt', topic: 'contract/k', ...over }) as Resolved<MqttOptions>;
const request = (text: string, over: Partial<MqttRequest> = {}): MqttRequest => ({
  topic: 'contract/k',
  isTopicRendered: true,
  payload: Buffer.from(text),
  qos: 1,
  retain: false,
  isRetainRendered: false,
  properties: { userProperties: [] },
  ...over,
});
const statusOf = (outcome: Outcome) => (outcome.status === 'never' ? outcome.error.code : outcome.status);

describe.skipIf(!isInstalled(home)).each([
  { name: 'mosquitto', start: startMosquitto },
  { name: 'hivemq', start: startHiveMq },
  { name: 'artemis', start: startArtemis },
])('MQTT sink, on $name', { timeout: START_TIMEOUT_MS }, ({ name, start }) => {
  let broker: MqttBroker;
  let reader: Reader;
  const server = () => `mqtt://${broker.host}:${broker.port}`;
  const open = (over: object = {}, environment: Record<string, string> = {}, secrets: Record<string, string> = {}) =>
    openMqtt(options({ server: server(), ...over }), {
      env: environment,
      secret: async (arn) => secrets[arn]!,
    });

  beforeAll(async () => {
    broker = await start({
      home,
      deniedTopics: ['denied/#'],
      users: { worker: 'first' },
      anonymous: true,
      maxPacketBytes: MAX_PACKET_BYTES,
    });
    reader = await openReader(server(), name === 'mosquitto');
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    reader?.close();
    await broker?.close();
  });

  sinkContract<MqttRequest>({
    name: `MQTT 5, ${name}`,
    open: () => open({ inflightWindow: 2 }),
    openUnreachable: () => openMqtt(options({ server: 'mqtt://127.0.0.1:1' }), { env: {} }),
    request: (text, key = 'k') => request(text, { topic: `contract/${key}` }),
    refused: (key) => request('x'.repeat(MAX_PACKET_BYTES), { topic: `contract/${key}` }),
    misdirected: () => request('misdirected', { topic: 'denied/named', isTopicRendered: false }),
    missingTarget: 'denied/#',
    readBack: () => reader.read(),
    mayRepeat: name === 'hivemq',
    outage: { begin: () => broker.stop(), end: () => broker.restart() },
  });

  it.each(VERSIONS)('MQTT version %i delivers every QoS, retained messages and large ones', async (protocolVersion) => {
    const sink = open({ protocolVersion, poolSize: 2 });
    const topic = `contract/v${protocolVersion}`;
    const large = 'x'.repeat(300_000);
    const texts = ['a', 'b', 'c', large].map((text) => `${protocolVersion}${text}`);
    const requests = texts.map((text, i) => request(text, { topic, qos: (i % 3) as 0 | 1 | 2, retain: i === 1 }));
    const before = (await reader.read()).length;
    expect((await sink.deliver(requests, minute)).map(statusOf)).toEqual(texts.map(() => 'delivered'));
    // Messages of QoS 0 and QoS 1 may overtake each other.
    await vi.waitUntil(async () => (await reader.read()).length >= before + texts.length, PATIENCE);
    expect((await reader.read()).slice(before).toSorted()).toEqual(texts.toSorted());
    await sink.close();
  });

  it('delivers the properties of MQTT 5, in their order and under any name', async () => {
    const sink = open();
    const userProperties = [
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
      ['__proto__', '4'],
    ] as const;
    const properties = {
      userProperties,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from([0, 255]),
      messageExpirySeconds: 60,
      payloadFormatIndicator: 1,
    } as const;
    const { client } = await connectMqtt(server());
    const packets: mqtt.IPublishPacket[] = [];
    client.on('message', (_topic, _payload, packet) => packets.push(packet));
    await client.subscribeAsync('properties', { qos: 1 });
    expect((await sink.deliver([request('a', { topic: 'properties', properties })], minute)).map(statusOf)).toEqual([
      'delivered',
    ]);
    await vi.waitUntil(() => packets.length > 0, PATIENCE);
    expect(packets[0]!.properties).toMatchObject({
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from([0, 255]),
      messageExpiryInterval: 60,
      payloadFormatIndicator: true,
      userProperties: { b: ['1', '3'], a: '2' },
    });
    await client.endAsync();
    await sink.close();
  });

  it.each(VERSIONS)('MQTT version %i delivers the neighbours of a denied message', async (protocolVersion) => {
    const sink = open({ protocolVersion, inflightWindow: 50 });
    const texts = Array.from({ length: 60 }, (_, i) => `neighbour ${protocolVersion} ${i}`);
    const requests = texts.map((text) => request(text));
    for (const at of [10, 11, 40]) requests.splice(at, 0, request('denied', { topic: 'denied/rendered' }));
    const outcomes = await sink.deliver(requests, minute);
    const found = await reader.read();
    for (const text of texts) expect(found).toContain(text);
    const denied = outcomes.filter((_, i) => requests[i]!.topic === 'denied/rendered').map(statusOf);
    if (protocolVersion === 5) expect(denied).toEqual(['INVALID_TARGET', 'INVALID_TARGET', 'INVALID_TARGET']);
    // Without reason codes, mosquitto acknowledges what it denies, and other brokers close the connection.
    else for (const status of denied) expect(['delivered', 'REJECTED']).toContain(status);
    expect(outcomes.filter((_, i) => requests[i]!.topic !== 'denied/rendered').map(statusOf)).toEqual(
      texts.map(() => 'delivered'),
    );
    await sink.close();
  });

  it('connects with a password, and reads the secret again when the broker refuses it', async () => {
    const secrets = { credentials: '{"username":"worker","password":"first"}' };
    const sink = open({}, { CREDENTIALS_SECRET_ARN: 'credentials' }, secrets);
    expect(await sink.testConnectivity()).toContain('connector available');
    await sink.close();
    const stale = open({}, { CREDENTIALS_SECRET_ARN: 'credentials' }, secrets);
    await broker.setPassword('worker', 'second');
    await expect(stale.testConnectivity()).rejects.toThrow(/CONNACK 0x8[67] \(/);
    secrets.credentials = '{"username":"worker","password":"second"}';
    await vi.waitUntil(() => stale.testConnectivity().catch(() => false), PATIENCE);
    await stale.close();
    await broker.setPassword('worker', 'first');
  });

  const onMosquitto = name === 'mosquitto' ? it : () => {}; // whose log names the client ids
  onMosquitto('connects with client ids of prefix, name, digits and number (C19)', async () => {
    const sink = open({ clientIdPrefix: 'myprefix', name: 'foo', poolSize: 2 });
    await sink.deliver([request('a'), request('b')], minute);
    await sink.close();
    const ids = [...broker.log().matchAll(/connected .* as (myprefix:foo[0-9a-f]{8}:[12]) /g)].map(([, id]) => id!);
    expect(ids.map((id) => id.slice(-2)).toSorted()).toEqual([':1', ':2']);
    expect(new Set(ids.map((id) => id.slice(0, -2))).size).toBe(1);
  });

  onMosquitto('holds a static client id for as long as a delivery of its shard, with its password (C20)', async () => {
    const secrets = {
      credentials:
        '{"username":"worker","password":"wrong","clients":{"one":{"username":"worker","password":"first"}}}',
    };
    const sandbox = () => open({ staticClientIds: ['one', 'two'] }, { CREDENTIALS_SECRET_ARN: 'credentials' }, secrets);
    const [first, second] = [sandbox(), sandbox()];
    const deliver = async (sink: typeof first, shard: number, text: string) =>
      (await sink.deliver([request(text)], { ...minute, shard })).map(statusOf);
    for (let i = 0; i < 5; i++) {
      expect(await deliver(first, 0, `first ${i}`)).toEqual(['delivered']);
      expect(await deliver(second, 0, `second ${i}`)).toEqual(['delivered']);
    }
    expect(await deliver(first, 1, 'wrong password')).toEqual(['stop']);
    await expect(deliver(first, 2, 'resharded')).rejects.toThrow(/got shard 2; expected shards 0 to 1/);
    expect(await first.testConnectivity()).toMatch(/accepts connections/);
    // Neither sandbox has taken the client id from the other.
    expect(broker.log().match(/New client connected .* as one /g)).toHaveLength(10);
    expect(broker.log()).not.toMatch(/Client one already connected/);
    for (const sink of [first, second]) await sink.close();
  });

  it('connects by TLS, to a broker that it trusts, with a client certificate', async () => {
    const clientCertificate = JSON.stringify({
      certificate: broker.client.certificate,
      privateKey: broker.client.key,
    });
    const by = (port: number, over: object, env: Record<string, string> = {}) =>
      open({ server: `mqtts://${broker.host}:${port}`, ...over }, env, { certificate: clientCertificate });
    const trusted = by(broker.tlsPort, { ca: broker.ca });
    expect((await trusted.deliver([request('by TLS')], minute)).map(statusOf)).toEqual(['delivered']);
    expect(await reader.read()).toContain('by TLS');
    await trusted.close();

    const untrusted = by(broker.tlsPort, {});
    await expect(untrusted.testConnectivity()).rejects.toThrow(/mqtts:.*: TLS: /);
    await untrusted.close();

    const mutual = by(broker.mtlsPort, { ca: broker.ca }, { CLIENT_CERTIFICATE_SECRET_ARN: 'certificate' });
    expect(await mutual.testConnectivity()).toContain('connector available');
    await mutual.close();
    const nobody = by(broker.mtlsPort, { ca: broker.ca });
    await expect(nobody.testConnectivity()).rejects.toThrow();
    await nobody.close();
  });
});

describe.skipIf(!isInstalled(home)).each([
  // mosquitto closes the connection without a CONNACK, HiveMQ answers CONNACK 0x97.
  { name: 'mosquitto', start: startMosquitto },
  { name: 'hivemq', start: startHiveMq },
])('MQTT sink, on $name with a connection limit', { timeout: START_TIMEOUT_MS }, ({ start }) => {
  it('halves its pool until the broker accepts it, and delivers every message (C36, F21)', async () => {
    const broker = await start({ home, maxConnections: 3 });
    const sizes: number[] = [];
    const sink = openMqtt(options({ server: `mqtt://${broker.host}:${broker.port}`, poolSize: 8 }), {
      env: {},
      log: (entry) => sizes.push((entry as { to: number }).to),
    });
    const requests = Array.from({ length: 300 }, (_, i) => request(`${i}`));
    let left = requests;
    await vi.waitUntil(async () => {
      const outcomes = await sink.deliver(left, minute);
      left = left.filter((_, i) => outcomes[i]!.status !== 'delivered');
      return left.length === 0;
    }, PATIENCE);
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes.at(-1)).toBeLessThanOrEqual(3);
    await sink.close();
    await broker.close();
  });
});

interface Reader {
  /** Texts of all messages below `contract/` that the broker has received. */
  read(): Promise<readonly string[]>;
  close(): void;
}

/** Subscribes with a session that survives the broker's restarts. */
async function openReader(server: string, isInOrder: boolean): Promise<Reader> {
  const texts: string[] = [];
  const marks = new Set<string>();
  const { client } = await connectMqtt(server, {
    clean: false,
    reconnectPeriod: 50,
    properties: { sessionExpiryInterval: 3_600 },
  });
  client.on('message', (topic, payload) => {
    if (topic === 'contract/mark') marks.add(`${payload}`);
    else texts.push(`${payload}`);
  });
  await client.subscribeAsync('contract/#', { qos: 1 });
  return {
    async read() {
      // Brokers that deliver by several threads let a mark overtake messages of other topics.
      for (let known = -1; known !== texts.length; ) {
        known = texts.length;
        const mark = randomBytes(8).toString('hex');
        await client.publishAsync('contract/mark', mark, { qos: 1 });
        await vi.waitUntil(() => marks.has(mark), PATIENCE);
        if (!isInOrder) await sleep(20);
      }
      return [...texts];
    },
    close: () => client.end(true),
  };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import type { IClientOptions } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeCertificates } from '../../localstack/servers/certificates.ts';
import { mqttBrokersHome as home, isInstalled } from '../../localstack/servers/mqtt-brokers/install.mjs';
import {
  type MqttBroker,
  type MqttBrokerOptions,
  startArtemis,
  startHiveMq,
  startMosquitto,
} from '../../localstack/servers/mqtt-brokers/start.ts';
import { listeningAddresses } from '../support/listening-addresses.ts';
import { connectMqtt } from '../support/mqtt-client.ts';

const PATIENCE = { timeout: 60_000, interval: 10 };
const USER = { username: 'user', password: 'first' };
const QOS_1 = { qos: 1 } as const;

interface Habits {
  readonly name: MqttBroker['name'];
  readonly start: (options: MqttBrokerOptions) => Promise<MqttBroker>;
  /** Codes of CONNACK for a wrong password. */
  readonly badPassword: { readonly v3: number; readonly v5: number };
  /** Whether CONNACK states a receive maximum. */
  readonly hasReceiveMaximum: boolean;
  /** Whether it refuses subscriptions to denied topics. */
  readonly refusesSubscriptions: boolean;
  /** Code of CONNACK for one client too many. @default - none: the broker closes the connection */
  readonly tooMany?: number;
}

const brokers: Habits[] = [
  {
    name: 'mosquitto',
    start: startMosquitto,
    badPassword: { v3: 5, v5: 0x87 },
    hasReceiveMaximum: true,
    refusesSubscriptions: false,
  },
  {
    name: 'hivemq',
    start: startHiveMq,
    badPassword: { v3: 4, v5: 0x86 },
    hasReceiveMaximum: true,
    refusesSubscriptions: true,
    tooMany: 0x97,
  },
  {
    name: 'artemis',
    start: startArtemis,
    badPassword: { v3: 5, v5: 0x86 },
    hasReceiveMaximum: false,
    refusesSubscriptions: true,
  },
];

describe.skipIf(!isInstalled(home)).each(brokers)(
  '$name without Docker',
  ({ start, badPassword, hasReceiveMaximum, refusesSubscriptions, tooMany }) => {
    const url = ({ host, port }: MqttBroker) => `mqtt://${host}:${port}`;
    const open = (broker: MqttBroker, options: IClientOptions = {}) =>
      connectMqtt(url(broker), { ...USER, ...options });

    describe('with a user', () => {
      let broker: MqttBroker;
      beforeAll(async () => {
        vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'canary');
        broker = await start({
          home,
          users: { [USER.username]: USER.password, other: 'another' },
          deniedTopics: ['denied/#', 'a/+/b'],
        });
        vi.unstubAllEnvs();
      });
      afterAll(() => broker?.close());

      it.runIf(existsSync('/proc'))('listens on loopback only, and has no variables of AWS', () => {
        const addresses = listeningAddresses(broker.pid!);
        expect(addresses).toEqual(Array(3).fill('127.0.0.1'));
        expect(readFileSync(`/proc/${broker.pid}/environ`, 'utf8')).not.toContain('AWS_');
      });

      const versions: [string, IClientOptions][] = [
        ['3.1', { protocolVersion: 3, protocolId: 'MQIsdp' }],
        ['3.1.1', { protocolVersion: 4 }],
        ['5', { protocolVersion: 5 }],
      ];
      it.each(versions)('carries a message of QoS 1 by MQTT %s', async (version, options) => {
        const { client, received } = await open(broker, options);
        await client.subscribeAsync(`versions/${version}`, QOS_1);
        await client.publishAsync(`versions/${version}`, 'hello', QOS_1);
        await vi.waitUntil(() => received.length > 0, PATIENCE);
        expect(received).toEqual(['hello']);
        await client.endAsync();
      });

      it('refuses a wrong password, and no password', async () => {
        const wrong = { username: USER.username, password: 'wrong' };
        await expect(open(broker, { ...wrong, protocolVersion: 4 })).rejects.toMatchObject({ code: badPassword.v3 });
        await expect(open(broker, wrong)).rejects.toMatchObject({ code: badPassword.v5 });
        await expect(connectMqtt(url(broker))).rejects.toMatchObject({ code: badPassword.v5 });
      });

      it.each(['denied', 'denied/a/b', 'a/x/b'])('refuses the denied topic %s', async (topic) => {
        const { client } = await open(broker);
        const granted = client.subscribeAsync(topic, QOS_1);
        if (refusesSubscriptions) await expect(granted).rejects.toThrow('Not authorized');
        else await granted;
        await expect(client.publishAsync(topic, 'x', QOS_1)).rejects.toMatchObject({ code: 0x87 });
        await client.endAsync(true);
      });

      it('takes TLS from clients that trust its authority', async () => {
        const tlsUrl = `mqtts://localhost:${broker.tlsPort}`;
        const { client } = await connectMqtt(tlsUrl, { ...USER, ca: broker.ca });
        await client.publishAsync('tls', 'x', QOS_1);
        await client.endAsync();
        await expect(connectMqtt(tlsUrl, { ...USER, ca: makeCertificates().ca })).rejects.toThrow(/certificate/);
      });

      it('requires a client certificate on its third port', async () => {
        const mtlsUrl = `mqtts://localhost:${broker.mtlsPort}`;
        const { certificate: cert, key } = broker.client;
        const { client, received } = await connectMqtt(mtlsUrl, { ca: broker.ca, cert, key });
        await client.subscribeAsync('mtls', QOS_1);
        await client.publishAsync('mtls', 'x', QOS_1);
        await vi.waitUntil(() => received.length > 0, PATIENCE);
        await client.endAsync();
        await expect(connectMqtt(mtlsUrl, { ...USER, ca: broker.ca })).rejects.toThrow();
        const untrusted = makeCertificates();
        await expect(
          connectMqtt(mtlsUrl, { ...USER, ca: broker.ca, cert: untrusted.certificate, key: untrusted.key }),
        ).rejects.toThrow();
      });

      it('gives each message of a shared subscription to one member', async () => {
        const members = [await open(broker), await open(broker)];
        for (const { client } of members) await client.subscribeAsync('$share/group/shared', QOS_1);
        const sent = numbers(100);
        for (const payload of sent) await members[0]!.client.publishAsync('shared', payload, QOS_1);
        const all = () => members.flatMap(({ received }) => received);
        await vi.waitUntil(() => all().length >= sent.length, PATIENCE);
        expect(all().toSorted(byNumber)).toEqual(sent);
        for (const { client } of members) await client.endAsync();
      });

      it('follows the rotation of a password', async () => {
        await broker.setPassword(USER.username, 'second');
        const { client } = await open(broker, { password: 'second' });
        await client.endAsync();
        await expect(open(broker)).rejects.toMatchObject({ code: badPassword.v5 });
        await broker.setPassword(USER.username, USER.password);
        await (await open(broker)).client.endAsync();
        await expect(broker.setPassword('nobody', 'x')).rejects.toThrow(
          'user: got nobody; expected one of user, other',
        );
      });
    });

    it('keeps 3,000 messages for an absent session, also when it is killed, and is back on its ports', async () => {
      const broker = await start({ home });
      try {
        const session = { clientId: 'absent', clean: false, properties: { sessionExpiryInterval: 3_600 } };
        const first = await connectMqtt(url(broker), session);
        await first.client.subscribeAsync('kept', QOS_1);
        await first.client.endAsync();
        const sent = numbers(3_000);
        const { client, closed } = await connectMqtt(url(broker), { properties: { receiveMaximum: 100 } });
        for (let next = 0; next < sent.length; next += 10)
          await Promise.all(sent.slice(next, next + 10).map((payload) => client.publishAsync('kept', payload, QOS_1)));
        await broker.save?.();
        const { pid } = broker;
        await broker.kill();
        await closed;
        expect(broker.pid).toBeUndefined();
        await expect(connectMqtt(url(broker))).rejects.toThrow(/ECONNREFUSED/);
        await broker.restart();
        expect(broker.pid).not.toBe(pid);
        const again = await connectMqtt(url(broker), session);
        expect(again.connack.sessionPresent).toBe(true);
        await vi.waitUntil(() => again.received.length >= sent.length, PATIENCE);
        expect(again.received).toEqual(sent);
        await again.client.endAsync();
      } finally {
        await broker.close();
      }
      expect(existsSync(broker.folder)).toBe(false);
    });

    it('keeps to its limits, states them in CONNACK, and forgets everything without persistence', async () => {
      const broker = await start({
        home,
        maxConnections: 2,
        maxKeepaliveSeconds: 40,
        maxPacketBytes: 10_000,
        receiveMaximum: 20,
        persistence: false,
      });
      try {
        const session = {
          clientId: 'forgotten',
          clean: false,
          keepalive: 30,
          properties: { sessionExpiryInterval: 3_600 },
        };
        const { client, connack } = await connectMqtt(url(broker), { ...session, keepalive: 60 });
        const receiveMaximum = hasReceiveMaximum ? 20 : undefined;
        expect(connack.properties).toMatchObject({ serverKeepAlive: 40, maximumPacketSize: 10_000 });
        expect(connack.properties?.receiveMaximum).toBe(receiveMaximum);
        await connectMqtt(url(broker));
        await expect(connectMqtt(url(broker))).rejects.toMatchObject(
          tooMany === undefined
            ? { message: expect.stringMatching(/closed before CONNACK|ECONNRESET/) }
            : { code: tooMany },
        );
        await client.endAsync();
        // A broker may count a connection for a moment after its end.
        const second = await vi.waitUntil(() => connectMqtt(url(broker), session).catch(() => undefined), PATIENCE);
        expect(second.connack.sessionPresent).toBe(true);
        await broker.restart();
        const third = await connectMqtt(url(broker), session);
        expect(third.connack.sessionPresent).toBe(false);
        await third.client.endAsync();
      } finally {
        await broker.close();
      }
    });
  },
);

describe.skipIf(!isInstalled(home))('a broker', () => {
  it('fails to start with the end of its log', async () => {
    await expect(startMosquitto({ home, deniedTopics: ['not/#/a filter'] })).rejects.toThrow(
      /^mosquitto: accepts connections: exit \d+\. The end of its log:\n.*Error: /s,
    );
  });

  const runScript = async () => {
    const script = spawn(process.execPath, ['scripts/mqtt-broker.mjs', 'mosquitto'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(script, 'exit');
    let output = '';
    script.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await vi.waitUntil(() => output.includes('Ctrl-C stops it'), PATIENCE);
    const [, server] = /TCP +(\S+)/.exec(output)!;
    const [, folder] = /log +(\S+)\/broker\.log/.exec(output)!;
    await (await connectMqtt(server!)).client.endAsync();
    return { script, ended, server: server!, folder: folder! };
  };
  const isDown = (server: string) =>
    vi.waitUntil(
      () =>
        connectMqtt(server).then(
          () => false,
          () => true,
        ),
      PATIENCE,
    );

  it('runs by a script until Ctrl-C, and leaves nothing', async () => {
    const { script, ended, server, folder } = await runScript();
    script.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    await isDown(server);
    expect(existsSync(folder)).toBe(false);
  });

  it('ends with the process that has started it', async () => {
    const { script, ended, server, folder } = await runScript();
    script.kill('SIGKILL');
    await ended;
    await isDown(server);
    rmSync(folder, { recursive: true });
  });
});

const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index));
const byNumber = (a: string, b: string) => Number(a) - Number(b);

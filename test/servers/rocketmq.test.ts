import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { processesOf } from '../../localstack/docker-free/processes.ts';
import { ADMIN, type Credentials } from '../../localstack/servers/rocketmq/acl.ts';
import { startClient } from '../../localstack/servers/rocketmq/client.ts';
import { classPath, rocketMqHome as home, isInstalled } from '../../localstack/servers/rocketmq/install.mjs';
import { hasRoute } from '../../localstack/servers/rocketmq/proxy.ts';
import { type RocketMq, startRocketMq } from '../../localstack/servers/rocketmq/start.ts';
import { listeningAddresses } from '../support/listening-addresses.ts';

const PATIENCE = { timeout: 60_000, interval: 100 };
const START_TIMEOUT_MS = 180_000;
const ANY = {
  body: Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256)),
  keys: 'first second',
  tags: 'new',
  properties: { device: 'ü 阀门 🚰', json: '{"a":"b=c;\\n"}\n\t' },
};
const USER = { accessKey: 'lambda-user', secretKey: 'lambda-secret', topics: ['Mine'] };

describe.skipIf(!isInstalled(home))('RocketMQ without Docker', { timeout: START_TIMEOUT_MS }, () => {
  describe.each([5, 4] as const)('version %i', (version) => {
    let mq: RocketMq;
    beforeAll(async () => {
      mq = await startRocketMq({ home, version, topics: [{ name: 'Orders' }, { name: 'One', queues: 1 }] });
    }, START_TIMEOUT_MS);
    afterAll(() => mq?.close());

    it('reads back a message: bytes, keys, tags, properties, offset and times', async () => {
      const before = Date.now();
      const sent = await mq.send('Orders', ANY);
      const [message, ...others] = await mq.consume('Orders', { count: 1 });
      expect(message).toMatchObject({ topic: 'Orders', ...ANY, ...sent });
      expect(message!.properties).toMatchObject({ KEYS: ANY.keys, TAGS: ANY.tags, UNIQ_KEY: sent.messageId });
      expect(message!.storeTimestamp).toBeGreaterThanOrEqual(before);
      expect(message!.bornTimestamp).toBeLessThanOrEqual(message!.storeTimestamp);
      expect(others).toEqual([]);
    });

    it('keeps the order within a queue and uses all queues of a topic', async () => {
      await mq.createTopic({ name: 'Two', queues: 2 });
      const bodies = Array.from({ length: 40 }, (_, index) => `${index}`);
      for (const topic of ['One', 'Two']) for (const body of bodies) await mq.send(topic, { body: Buffer.from(body) });
      const one = await mq.consume('One', { count: bodies.length });
      expect(one.map(({ body }) => body.toString())).toEqual(bodies);
      expect(one.map(({ queueOffset }) => queueOffset)).toEqual(bodies.map(Number));
      const two = await mq.consume('Two', { count: bodies.length });
      expect(new Set(two.map(({ queueId }) => queueId))).toEqual(new Set([0, 1]));
      expect(two.map(({ body }) => Number(body)).sort((a, b) => a - b)).toEqual(bodies.map(Number));
    });

    it('keeps stored messages while the broker is down', async () => {
      await mq.createTopic({ name: 'Kept' });
      await mq.send('Kept', ANY);
      const before = await mq.consume('Kept', { count: 1 });
      await mq.stopBroker();
      await expect(mq.send('Kept', ANY)).rejects.toThrow();
      await mq.startBroker();
      expect(await mq.consume('Kept')).toEqual(before);
      await mq.send('Kept', ANY);
      expect(await mq.consume('Kept', { count: 2 })).toHaveLength(2);
    });

    it('has routes again after a restart of the name server', async () => {
      await mq.stopNameServer();
      await expect(mq.count('Orders')).rejects.toThrow();
      await mq.startNameServer();
      await mq.createTopic({ name: 'Later' });
      await mq.send('Later', ANY);
      expect(await mq.consume('Later', { count: 1 })).toHaveLength(1);
    });
  });

  describe.each([5, 4] as const)('version %i with access control and TLS', (version) => {
    let mq: RocketMq;
    beforeAll(async () => {
      mq = await startRocketMq({
        home,
        version,
        topics: [{ name: 'Mine' }, { name: 'Others' }],
        acl: USER,
        tls: true,
      });
    }, START_TIMEOUT_MS);
    afterAll(() => mq?.close());

    const trusting = () => ({
      'tls.enable': 'true',
      'tls.client.authServer': 'true',
      'tls.client.trustCertPath': mq.caFile!,
    });
    const sendAs = async (credentials: Credentials | undefined, properties: Record<string, string>, topic: string) => {
      const options = { folder: mq.folder, classPath: classPath(home, version), nameServer: mq.nameServer };
      const client = await startClient({ ...options, credentials, properties });
      const message = { body: ANY.body.toString('base64'), properties: {} };
      return client.call('send', { topic, ...message }).finally(client.kill);
    };

    it('lets its user publish to the listed topics, and refuses everyone else', async () => {
      await sendAs(USER, trusting(), 'Mine');
      expect(await mq.consume('Mine', { count: 1 })).toHaveLength(1);
      await expect(sendAs(USER, trusting(), 'Others')).rejects.toThrow(/permission/);
      await expect(sendAs({ ...USER, secretKey: 'another' }, trusting(), 'Mine')).rejects.toThrow(/signature/i);
      await expect(sendAs(undefined, trusting(), 'Mine')).rejects.toThrow();
      expect(await mq.consume('Others')).toEqual([]);
    });

    it('accepts clients with TLS, and only those', async () => {
      await expect(sendAs(USER, { 'tls.enable': 'false' }, 'Mine')).rejects.toThrow();
      const ca = readFileSync(mq.caFile!, 'utf8');
      for (const address of [mq.nameServer, mq.broker, mq.endpoints]) {
        if (address !== undefined) expect(await protocolOf(address, ca)).toBe('TLSv1.3');
      }
    });

    it('has a proxy that requires both', async () => {
      if (version === 4) return expect(mq.endpoints).toBeUndefined();
      const ca = readFileSync(mq.caFile!, 'utf8');
      expect(await hasRoute(mq.endpoints!, 'Mine', { ca, credentials: USER })).toBe(true);
      expect(await hasRoute(mq.endpoints!, 'Mine', { ca })).toBe(false);
      expect(await hasRoute(mq.endpoints!, 'Missing', { ca, credentials: ADMIN })).toBe(false);
      await expect(hasRoute(mq.endpoints!, 'Mine', { credentials: USER })).rejects.toThrow();
    });
  });

  it('applies broker settings', async () => {
    const brokerSettings = { maxMessageSize: 1_000 };
    const mq = await startRocketMq({ home, version: 4, autoCreateTopics: true, brokerSettings });
    await mq.send('Created', { body: Buffer.alloc(900) });
    await expect(mq.send('Created', { body: Buffer.alloc(1_100) })).rejects.toThrow(/illegal/i);
    // The broker has the topic before it registers it with the name server.
    await expect.poll(() => mq.count('Created').catch(() => 'no route'), { timeout: 60_000 }).toBe(1);
    await mq.close();
  });

  it.skipIf(process.platform !== 'linux').each([5, 4] as const)(
    'version %i listens on loopback only, and has no variables of AWS',
    async (version) => {
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'canary');
      const mq = await startRocketMq({ home, version });
      vi.unstubAllEnvs();
      const addresses = mq.pids.flatMap(listeningAddresses);
      expect(addresses.length).toBeGreaterThanOrEqual(version === 5 ? 6 : 4);
      expect(new Set(addresses)).toEqual(new Set(['127.0.0.1']));
      for (const pid of mq.pids) expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('AWS_');
      await mq.close();
    },
  );

  it('leaves no process and no file after close', async () => {
    const mq = await startRocketMq({ home, version: 4 });
    expect(processesOf(mq.folder).sort()).toEqual([...mq.pids].sort());
    await mq.close();
    await mq.close();
    expect(processesOf(mq.folder)).toEqual([]);
    expect(existsSync(mq.folder)).toBe(false);
    await expect(mq.count('any')).rejects.toThrow('has ended');
  });

  it('ends when the process that started it is killed', async () => {
    const starter = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', STARTER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(starter.stdout, 'data');
    const { folder, pids } = JSON.parse(line) as RocketMq;
    expect(processesOf(folder).length).toBe(pids.length);
    starter.kill('SIGKILL');
    await vi.waitUntil(() => processesOf(folder).length === 0, PATIENCE);
    rmSync(folder, { recursive: true });
  });

  it('reports the log of a server that does not start, and leaves nothing', async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'outflow-'));
    vi.stubEnv('TMPDIR', temporary);
    const brokerSettings = { storePathRootDir: '/dev/null/store' };
    await expect(startRocketMq({ home, version: 4, brokerSettings })).rejects.toThrow(
      /^broker: .* ended with .*\n.*\/dev\/null/s,
    );
    vi.unstubAllEnvs();
    expect(processesOf(temporary)).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
    rmSync(temporary, { recursive: true });
  });
});

const STARTER = `
  import { startRocketMq } from './localstack/servers/rocketmq/start.ts';
  const mq = await startRocketMq({ home: ${JSON.stringify(home)}, version: 4 });
  console.log(JSON.stringify(mq));
  setInterval(() => {}, 60_000);
`;

async function protocolOf(address: string, ca: string): Promise<string | null> {
  const [host, port] = address.split(':');
  const socket = connect({ host: host!, port: Number(port), ca });
  await once(socket, 'secureConnect');
  const protocol = socket.getProtocol();
  socket.destroy();
  return protocol;
}

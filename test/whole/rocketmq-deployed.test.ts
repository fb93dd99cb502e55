import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { awsCloud } from '../../bin/cloud/aws.ts';
import type { Cloud, TaskReport } from '../../bin/cloud/cloud.ts';
import { localStackHome, node24 } from '../../localstack/cache.mjs';
import { type Attached, attach } from '../../localstack/deployed/attach.ts';
import { bootstrap, cdk, localEnvironment } from '../../localstack/deployed/cdk.ts';
import { type LocalStackProcess, startLocalStack } from '../../localstack/docker-free/start.ts';
import { rocketMqHome as home } from '../../localstack/servers/rocketmq/install.mjs';
import { type RocketMq, startRocketMq } from '../../localstack/servers/rocketmq/start.ts';
import { command } from '../cloud/contract.ts';
import { clientsOf, outputsOf } from '../support/deployed.ts';
import type { Target } from '../support/deployed-rocketmq/app.ts';
import { isMissing } from '../support/setup-parts.ts';

const STACK = 'OutflowRocketMq';
/** The control function runs each minute, and deferred records are redelivered after a minute. */
const PATIENCE = { timeout: 240_000, interval: 500 };
const USER = { accessKey: 'lambda-user', secretKey: 'lambda-secret' };
const VERSIONS = { Five: 5, Four: 4 } as const;
type Name = keyof typeof VERSIONS;
const NAMES = Object.keys(VERSIONS) as Name[];

describe.skipIf(['localstack', 'node24', 'rocketmq'].some(isMissing))(
  'tasks for RocketMQ 5 and 4, deployed to LocalStack',
  { timeout: 300_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'outflow-deployed-'));
    const app = join(folder, 'test/support/deployed-rocketmq');
    const servers = new Map<Name, RocketMq>();
    let localStack: LocalStackProcess;
    let secrets: SecretsManagerClient;
    let outputs: Record<string, string>;
    let attached: Attached;
    let device: mqtt.MqttClient;
    let cloud: Cloud;
    const errors: Error[] = [];

    beforeAll(async () => {
      // A copy, because other suites write to these folders.
      const parts = [
        'package.json',
        'tsconfig.json',
        'lib',
        'lambdas',
        'dist/bundles',
        'test/support/deployed-rocketmq',
      ];
      for (const part of parts) cpSync(part, join(folder, part), { recursive: true });
      symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
      const targets: Record<string, Target> = {};
      for (const name of NAMES) {
        const version = VERSIONS[name];
        const topics = ['Deployed', 'ByProxy'].map((topic) => ({ name: topic }));
        const consumerGroups = ['outflow-read'];
        const mq = await startRocketMq({ home, version, topics, consumerGroups, acl: USER, tls: true });
        servers.set(name, mq);
        const certificateAuthority = readFileSync(mq.caFile!, 'utf8');
        targets[name] = { nameServers: [mq.nameServer], certificateAuthority };
        if (mq.endpoints !== undefined) targets['Proxy'] = { endpoints: [mq.endpoints], certificateAuthority };
      }
      localStack = await startLocalStack({ home: localStackHome, node: node24 });
      const { endpointUrl } = localStack;
      const clients = clientsOf(endpointUrl);
      const options = { endpointUrl, folder: app, env: { TARGETS: JSON.stringify(targets) } };
      await bootstrap(options);
      await cdk(['deploy', '--require-approval', 'never', '--method', 'direct'], options);
      outputs = await outputsOf(clients, STACK);
      // Redelivery takes six function timeouts, that is six minutes, which is too long for a test.
      for (const name of NAMES)
        await clients.sqs.send(
          new SetQueueAttributesCommand({ QueueUrl: outputs[`${name}Queue`], Attributes: { VisibilityTimeout: '10' } }),
        );
      for (const [name, value] of Object.entries(localEnvironment(endpointUrl))) vi.stubEnv(name, value);
      secrets = new SecretsManagerClient();
      attached = await attach({ endpointUrl, stackNames: [STACK], onError: (error) => errors.push(error) });
      device = await mqtt.connectAsync(attached.broker.url, { clientId: 'd1', protocolVersion: 5 });
      cloud = awsCloud({ stackNames: [STACK], onNote: (note) => errors.push(new Error(note)) });
    }, 600_000);
    afterAll(async () => {
      await device?.endAsync();
      await attached?.close();
      cloud?.close();
      secrets?.destroy();
      await localStack?.stop();
      for (const mq of servers.values()) await mq.close();
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true });
      expect(errors).toEqual([]);
    }, 60_000);

    const publish = (name: Name | 'Proxy', texts: readonly string[]) =>
      Promise.all(texts.map((text) => device.publishAsync(`to/${name}/d1`, text, { qos: 1 })));
    const numbered = (what: string) => Array.from({ length: 30 }, (_, n) => `{ "${what}": ${n} }`);
    const arrived = (name: Name, texts: readonly string[]) =>
      vi.waitUntil(async () => {
        const stored = await servers.get(name)!.consume('Deployed');
        const found = new Set(stored.map(({ body }) => `${body}`));
        return texts.every((text) => found.has(text)) ? stored : undefined;
      }, PATIENCE);
    const connectivity = async (name: Name) => {
      const { answer, failed } = await command(cloud, ['test-connectivity', name, '--json']);
      const [{ detail }] = JSON.parse(answer);
      return { failed, detail: detail as string };
    };
    const report = async (name: Name): Promise<TaskReport> =>
      JSON.parse((await command(cloud, ['status', name, '--json'])).answer)[0];

    it('stop with their backlog for a secret that the brokers refuse, and report it in a connectivity test (F24)', async () => {
      for (const name of NAMES) {
        await publish(name, numbered('before'));
        const { failed, detail } = await connectivity(name);
        expect(failed).toBe(true);
        expect(detail).toMatch(/signature|AclException/);
      }
      for (const name of NAMES) {
        await vi.waitUntil(async () => (await report(name)).status === 'Start Failed', PATIENCE);
        expect((await report(name)).deadLetters).toBe(0);
        expect(await servers.get(name)!.count('Deployed')).toBe(0);
      }
    });

    it('go on with the right secret without an operator, and pass a connectivity test (F25, A18, A24)', async () => {
      await secrets.send(
        new PutSecretValueCommand({ SecretId: outputs['Credentials'], SecretString: JSON.stringify(USER) }),
      );
      for (const name of NAMES) {
        await arrived(name, numbered('before'));
        await vi.waitUntil(async () => (await report(name)).status === 'Running', PATIENCE);
        expect(await connectivity(name)).toEqual({
          failed: false,
          detail: expect.stringMatching(/^Deployed: .* \(127\.0\.0\.1:\d+\) answers in \d+ ms$/),
        });
      }
    });

    it('deliver the payload’s bytes unchanged, with the message’s id as key', async () => {
      for (const name of NAMES) await publish(name, numbered('after'));
      for (const name of NAMES) {
        const stored = await arrived(name, numbered('after'));
        // LocalStack may redeliver a message; the duplicates share its id.
        const ids = new Map<string, Set<string | undefined>>();
        for (const { body, keys, tags } of stored) {
          ids.set(`${body}`, (ids.get(`${body}`) ?? new Set()).add(keys));
          expect({ keys, tags }).toEqual({ keys: expect.stringMatching(/^[\da-f-]{36}$/), tags: 'd1' });
        }
        expect([...ids.keys()].sort()).toEqual([...numbered('before'), ...numbered('after')].sort());
        expect([...ids.values()].every(({ size }) => size === 1)).toBe(true);
        expect((await report(name)).deadLetters).toBe(0);
      }
    });

    it('are read by `outflow read`, by name servers and by a proxy', async () => {
      await publish('Proxy', numbered('by proxy'));
      const read = async (name: string, limit: number) => {
        const { answer } = await command(cloud, ['read', name, '--json', '--limit', `${limit}`]);
        return JSON.parse(answer) as { key: string; tag: string; position: string; body: { json: object } }[];
      };
      const textsOf = (records: Awaited<ReturnType<typeof read>>) =>
        new Set(records.map(({ body }) => JSON.stringify(body.json)));
      const compact = (texts: readonly string[]) => texts.map((text) => JSON.stringify(JSON.parse(text)));
      for (const name of NAMES) {
        const records = await read(name, 1_000);
        expect(textsOf(records)).toEqual(new Set(compact([...numbered('before'), ...numbered('after')])));
        expect(records[0]).toMatchObject({ key: expect.stringMatching(/^[\da-f-]{36}$/), tag: 'd1' });
        // Nothing was consumed.
        expect(await read(name, 1_000)).toHaveLength(records.length);
      }
      const found = new Set<string>();
      await vi.waitUntil(async () => {
        for (const text of textsOf(await read('Proxy', 20))) found.add(text);
        return compact(numbered('by proxy')).every((text) => found.has(text));
      }, PATIENCE);
    });
  },
);

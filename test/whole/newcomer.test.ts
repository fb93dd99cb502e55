import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../localstack/docker-free/port.ts';
import { type LocalCommand, startLocal } from '../support/local-command.ts';
import { isMissing } from '../support/setup-parts.ts';
import { npm, pack, readmeTask, run } from '../support/tarball.ts';

const PATIENCE = { timeout: 60_000, interval: 50 };
const folder = mkdtempSync(join(tmpdir(), 'outflow-newcomer-'));
const plant = join(folder, 'plant');
const OUTFLOW = 'node_modules/mqtt-outflow/dist/bin/outflow.js';
const write = (file: string, text: string) => writeFileSync(join(plant, file), text);
const npx = (...args: string[]) => run('npx', ['--no-install', ...args], { cwd: plant });

/** What CDK's template had until 2025: CommonJS, and the module resolution of Node 10. */
const OLD_CONFIG = {
  compilerOptions: {
    target: 'ES2020',
    module: 'commonjs',
    lib: ['es2020', 'dom'],
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
  },
  include: ['bin'],
};

const TEST = `import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import { IotTopicSource, KinesisSink, OutflowTask } from 'mqtt-outflow';
import { tryTask } from 'mqtt-outflow/testing';

test('declares a rule', () => {
  const stack = new Stack(new App(), 'Plant');
  const sink = new KinesisSink(new Stream(stack, 'Stream'), { partitionKey: '\${clientid}', payload: '\${payload}' });
  new OutflowTask(stack, 'Telemetry', { source: new IotTopicSource('devices/+/telemetry'), sink });
  Template.fromStack(stack).resourceCountIs('AWS::IoT::TopicRule', 1);
});

test('delivers a message', async () => {
  const source = { type: 'iot-core', filters: ['#'] };
  const sink = { type: 'kinesis', stream: 's', partitionKey: '\${clientid}', payload: '\${payload}' };
  const { outcome } = await tryTask({ v: 1, task: 'T', source, sink }, { topic: 'a', clientid: 'd1', payload: '1' });
  expect(outcome).toBe('delivered');
});
`;

beforeAll(async () => {
  const tarball = await pack(folder);
  mkdirSync(plant);
  const cdk = join(process.cwd(), 'node_modules/aws-cdk/bin/cdk');
  await run(process.execPath, [cdk, 'init', 'app', '--language', 'typescript', '--generate-only'], { cwd: plant });
  await npm(
    plant,
    'install',
    '--save-dev',
    '--ignore-scripts',
    'typescript-5.4@npm:typescript@~5.4.5',
    'ts-node@10.9.2',
  );
  await npm(plant, 'install', '--ignore-scripts', tarball);
  write('bin/plant.ts', readmeTask());
  write('test/plant.test.ts', TEST);
  write('tsconfig.old.json', JSON.stringify(OLD_CONFIG));
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a newcomer with the app of `cdk init`', () => {
  it('checks its types, by the newest compiler and by 5.4 with the resolution of Node 10', async () => {
    await npx('tsc', '--noEmit');
    await run(process.execPath, ['node_modules/typescript-5.4/bin/tsc', '-p', 'tsconfig.old.json'], { cwd: plant });
  });

  it('tests the task with Jest', async () => {
    const { stderr } = await npx('jest');
    expect(stderr).toContain('2 passed');
  });

  it('synthesizes with ts-node', async () => {
    const env = { ...process.env, CDK_OUTDIR: join(plant, 'old.out'), TS_NODE_PROJECT: 'tsconfig.old.json' };
    await run('npx', ['--no-install', 'ts-node', '--compiler', 'typescript-5.4', 'bin/plant.ts'], { cwd: plant, env });
    expect(JSON.parse(readFileSync(join(plant, 'old.out/Plant.template.json'), 'utf8')).Resources).toBeDefined();
  });

  it('tries a message', async () => {
    const { stdout } = await npx(
      'outflow',
      'try',
      'Telemetry',
      '-t',
      'devices/d1/telemetry',
      '-i',
      'd1',
      '-m',
      '{"temp":21.5}',
    );
    expect(stdout).toContain('delivered');
  });

  it('runs it, publishes, breaks a message, and redrives it', async () => {
    const local: LocalCommand = await startLocal([OUTFLOW, 'local'], plant);
    const printed = (text: RegExp) => vi.waitUntil(() => text.test(local.printed()), PATIENCE);
    const device = await mqtt.connectAsync(local.url, { clientId: 'd1', protocolVersion: 5 });
    await device.publishAsync('devices/d1/telemetry', '{"temp":21.5}', { qos: 1 });
    await printed(/1 incoming, 0 filtered, 1 outgoing, 0 dead-lettered/);
    await device.publishAsync('devices/d1/telemetry', '{"temp":', { qos: 1 });
    await printed(/2 incoming, 0 filtered, 1 outgoing, 1 dead-lettered/);
    local.type('dlq Telemetry');
    await printed(/INVALID_PAYLOAD/);
    local.type('redrive Telemetry');
    await printed(/1 outgoing, 2 dead-lettered/);
    await device.endAsync();
    expect((await local.interrupt()).code).toBe(0);
  });

  it.skipIf(isMissing('localstack') || isMissing('node24'))(
    'deploys it to LocalStack, publishes, and reads what arrived',
    async () => {
      const port = await freePort(0);
      // The cache of this clone saves the user's first installation, which takes minutes.
      const options = ['--docker-free', '--port', String(port), '--cache', join(process.cwd(), '.cache')];
      const localStack = await startLocal([OUTFLOW, 'localstack', ...options], plant, /Ready at (http:\S+)\./);
      const deployed = await startLocal([OUTFLOW, 'deploy-local', '--endpoint', localStack.url], plant);
      expect(deployed.printed()).toMatch(/Task +Telemetry from devices\/\+\/telemetry/);
      const device = await mqtt.connectAsync(deployed.url, { clientId: 'd1', protocolVersion: 5 });
      await device.publishAsync('devices/d1/telemetry', '{"temp":21.5}', { qos: 1 });
      const exported = deployed.printed().matchAll(/export (\w+)=(\S+)/g);
      const env = { ...process.env, ...Object.fromEntries(Array.from(exported, ([, name, value]) => [name, value])) };
      await vi.waitUntil(async () => {
        const { stdout } = await run('npx', ['--no-install', 'outflow', 'read', 'Telemetry'], { cwd: plant, env });
        return /key d1[\s\S]*"temp": 21.5/.test(stdout);
      }, PATIENCE);
      await device.endAsync();
      expect((await deployed.interrupt()).code).toBe(0);
      expect((await localStack.interrupt()).code).toBe(0);
      await expect(fetch(localStack.url)).rejects.toThrow();
    },
    600_000,
  );
});

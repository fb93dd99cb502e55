import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLocal } from '../support/local-command.ts';
import { npm, pack, readmeTask, run, versions } from '../support/tarball.ts';

const folder = mkdtempSync(join(tmpdir(), 'outflow-package-'));
const user = join(folder, 'user');

beforeAll(async () => {
  const tarball = await pack(folder);
  cpSync('test/support/empty-app', user, { recursive: true });
  const peers = ['aws-cdk-lib', 'constructs'].map((name) => `${name}@${versions[name]}`);
  await npm(user, 'install', '--ignore-scripts', tarball, ...peers);
  writeFileSync(join(user, 'app.mjs'), readmeTask());
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const outflow = (...args: string[]) => run('npx', ['--no-install', 'outflow', ...args], { cwd: user });

describe('the package, installed in an empty CDK app', () => {
  it('synthesizes the README’s task', async () => {
    await run(process.execPath, ['app.mjs'], { cwd: user, env: { ...process.env, CDK_OUTDIR: join(user, 'cdk.out') } });
    const { Resources } = JSON.parse(readFileSync(join(user, 'cdk.out/Plant.template.json'), 'utf8'));
    const types = Object.values<{ Type: string }>(Resources).map(({ Type }) => Type);
    expect(types).toEqual(expect.arrayContaining(['AWS::IoT::TopicRule', 'AWS::SQS::Queue', 'AWS::Lambda::Function']));
  });

  it('holds the local cloud, and no servers for tests', () => {
    const dist = join(user, 'node_modules/mqtt-outflow/dist');
    expect(readdirSync(dist).sort()).toEqual(['bin', 'bundles', 'cjs', 'lambdas', 'lib', 'localstack']);
    const folders = readdirSync(join(dist, 'localstack'), { withFileTypes: true }).filter((one) => one.isDirectory());
    expect(folders.map(({ name }) => name).sort()).toEqual([
      'deployed',
      'docker',
      'docker-free',
      'iot-core',
      'one-process',
    ]);
    expect(existsSync(join(dist, 'localstack/docker/compose.yaml'))).toBe(true);
  });

  it('has a command that can be run in a clone after a build', async () => {
    const { stdout } = await run(join(folder, 'copy/dist/bin/outflow.js'), ['--version']);
    expect(stdout.trim()).toBe('0.1.0');
  });

  it('is there for CommonJS too, and for tests without CDK', async () => {
    const script = `const { OutflowTask } = require('mqtt-outflow'); const { compilePattern } = require('mqtt-outflow/core');
      const { tryTask } = require('mqtt-outflow/testing'); console.log(typeof OutflowTask, typeof compilePattern, typeof tryTask)`;
    const { stdout } = await run(process.execPath, ['--no-warnings', '-e', script], { cwd: user });
    expect(stdout.trim()).toBe('function function function');
  });

  it('tries a message, with an exit code for CI', async () => {
    const message = ['-t', 'devices/d1/telemetry', '-i', 'd1', '--json', '-m'];
    const { stdout } = await outflow('try', 'Telemetry', ...message, '{ "temp": 21.5 }');
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'delivered',
      requests: [{ partitionKey: 'd1', data: '{ "temp": 21.5 }' }],
    });
    const synthesized = ['--assembly', 'cdk.out'];
    await expect(outflow('try', ...synthesized, ...message, '{ "temp": 19 }')).rejects.toMatchObject({ code: 1 });
    await outflow('try', ...synthesized, ...message, '{ "temp": 19 }', '--expect', 'filtered');
  });

  it('runs the app in one process', async () => {
    const local = await startLocal(['node_modules/mqtt-outflow/dist/bin/outflow.js', 'local'], user);
    const { code, printed } = await local.interrupt();
    expect(printed).toMatch(/Task +Telemetry from devices\/\+\/telemetry/);
    expect(code).toBe(0);
  });
});

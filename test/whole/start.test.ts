import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { App, Stack } from 'aws-cdk-lib';
import mqtt from 'mqtt';
import { describe, expect, it, vi } from 'vitest';
import { IotTopicSource, OutflowTask, RocketMqConnector, RocketMqSink } from '../../lib/index.ts';
import { startLocal } from '../support/local-command.ts';

const run = promisify(execFile);

/** A transcript without what differs from run to run. */
const lasting = (text: string) =>
  text
    .trim()
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replace(/\d+\.\d s/g, 'N s');

describe('npm start', () => {
  it('prints the transcript of the README', async () => {
    const transcript = /```console\n\$ npm start -- --once\n([^`]*)```/.exec(readFileSync('README.md', 'utf8'))?.[1];
    const { stdout } = await run(process.execPath, ['scripts/start.mjs', '--once']);
    expect(lasting(stdout)).toBe(lasting(transcript ?? 'README.md has no transcript'));
  });
});

describe('outflow local', () => {
  it('finishes the running batches at Ctrl-C', async () => {
    const local = await startLocal(['--import', 'tsx', 'bin/outflow.ts', 'local'], process.cwd());
    const device = await mqtt.connectAsync(local.url, { clientId: 'd1' });
    await Promise.all(Array.from({ length: 200 }, (_, i) => device.publishAsync(`t/${i}`, `${i}`, { qos: 1 })));
    const { code, printed } = await local.interrupt();
    await device.endAsync(true);
    expect(printed).toMatch(/Hello: 200 incoming, 0 filtered, 200 outgoing, 0 dead-lettered\s*$/);
    expect(code).toBe(0);
  });

  it('prints failures with their time and task, first of all a sink that cannot be used', async () => {
    const outdir = mkdtempSync(join(tmpdir(), 'outflow-local-'));
    const app = new App({ outdir });
    const stack = new Stack(app, 'Plant');
    // No name server listens on this port.
    const connector = new RocketMqConnector(stack, 'Mq', { nameServers: ['127.0.0.1:1'] });
    new OutflowTask(stack, 'Orders', {
      source: new IotTopicSource('t/#'),
      sink: new RocketMqSink(connector, { topic: 'Orders' }),
    });
    app.synth();
    const local = await startLocal(['--import', 'tsx', 'bin/outflow.ts', 'local', outdir], process.cwd());
    const printed = (line: RegExp) => vi.waitUntil(() => line.test(local.printed()), { timeout: 60_000 });
    await printed(/^ {2}\d\d:\d\d:\d\d {2}Orders: its sink cannot be used yet: .*ECONNREFUSED/m);
    const device = await mqtt.connectAsync(local.url, { clientId: 'd1' });
    await device.publishAsync('t/1', '1', { qos: 1 });
    await printed(/^ {2}\d\d:\d\d:\d\d {2}Orders: not delivered yet: .*ECONNREFUSED/m);
    await device.endAsync();
    // The task may be stopped by then, with the message in its retry queue.
    const ended = await local.interrupt();
    expect(ended.printed).toContain('Undelivered messages, lost with this process: 1.');
    expect(ended.code).toBe(1);
    rmSync(outdir, { recursive: true });
  });
});

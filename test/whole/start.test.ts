import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { describe, expect, it } from 'vitest';
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
});

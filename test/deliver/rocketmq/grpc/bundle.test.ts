import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, describe, expect, it } from 'vitest';
import { rocketMqClient } from '../../../../scripts/rocketmq-client.mjs';

const ENTRY = "require('rocketmq-client-nodejs');";
const USER_AGENT = readFileSync('node_modules/rocketmq-client-nodejs/dist/client/UserAgent.js', 'utf8');
const IMPORTS =
  "require('@node-rs/crc32'); require('address'); require('egg-logger'); require('./client/UserAgent.js');";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Bundles a client made of these two files, with nothing else to be found. */
async function bundled(index: string, userAgent: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'outflow-'));
  folders.push(folder);
  const client = join(folder, 'node_modules/rocketmq-client-nodejs');
  const files = {
    'package.json': '{"version":"1.2.3","main":"dist/index.js"}',
    'dist/index.js': index,
    'dist/client/UserAgent.js': userAgent.replace(/require\("\.\.\/\.\.\/proto[^"]*"\)/g, '{}'),
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(client, name)), { recursive: true });
    writeFileSync(join(client, name), content);
  }
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: folder },
    bundle: true,
    platform: 'node',
    write: false,
    logLevel: 'silent',
    plugins: [rocketMqClient()],
  });
  return outputFiles[0]!.text;
}

describe('the client of proxies in a bundle', () => {
  it('has its version, and stand-ins for what cannot come in', async () => {
    const text = await bundled(IMPORTS, USER_AGENT);
    expect(text).toContain('"1.2.3"');
    expect(text).not.toContain('package.json');
    expect(text).not.toMatch(/require\("(@node-rs|address|egg-logger)/);
  });

  it.each([
    ['UserAgent.js', IMPORTS, USER_AGENT.replaceAll('package.json', 'version.json')],
    ['UserAgent.js', IMPORTS, USER_AGENT.replaceAll('readFileSync', 'readOnce')],
    ['@node-rs/crc32', IMPORTS.replace('@node-rs/crc32', 'node:zlib'), USER_AGENT],
    ['address', IMPORTS.replace("'address'", "'node:os'"), USER_AGENT],
    ['egg-logger', IMPORTS.replace('egg-logger', 'node:fs'), USER_AGENT],
  ])('is refused when it does not use %s as it did: %#', async (name, index, userAgent) => {
    await expect(bundled(index, userAgent)).rejects.toThrow(`does not use ${name} as it did`);
  });

  it('is no matter where there is none', async () => {
    const { errors } = await build({
      stdin: { contents: 'export {};' },
      bundle: true,
      write: false,
      plugins: [rocketMqClient()],
    });
    expect(errors).toEqual([]);
  });
});

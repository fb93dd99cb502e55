import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateStreamCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { localStackHome } from '../../localstack/docker-free/install.mjs';
import { processesOf } from '../../localstack/docker-free/left-over.ts';
import { node24 } from '../../localstack/docker-free/node24.mjs';
import { type LocalStackProcess, startLocalStack } from '../../localstack/docker-free/start.ts';
import { isMissing } from '../support/setup-parts.ts';
import { clientConfig, Functions, isRunning } from './functions.ts';

const MISBEHAVING = readFileSync(new URL('./misbehaving.mjs', import.meta.url), 'utf8');
const PATIENCE = { timeout: 60_000, interval: 100 };
const HOW = { home: localStackHome, node: node24 };

describe.skipIf(isMissing('localstack') || isMissing('node24'))(
  'LocalStack without Docker',
  { timeout: 180_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'outflow-'));
    afterAll(() => rmSync(folder, { recursive: true }));

    it('leaves nothing when it stops: no process, no file, no port', async () => {
      const localStack = await startLocalStack(HOW);
      const pid = await aFunctionAndAStream(localStack);
      expect(processesOf(localStack.stateFolder)).toEqual(expect.arrayContaining([localStack.pid, pid]));
      await localStack.stop();
      await localStack.stop();
      expect(processesOf(localStack.stateFolder)).toEqual([]);
      expect(isRunning(localStack.pid) || isRunning(pid)).toBe(false);
      expect(existsSync(localStack.stateFolder) || existsSync(localStack.logFile)).toBe(false);
      await expect(fetch(localStack.endpointUrl)).rejects.toThrow();
    });

    it('takes its functions along when it is killed, busy as they may be', async () => {
      const localStack = await startLocalStack(HOW);
      const pid = await aFunctionAndAStream(localStack);
      const file = join(folder, 'spinning');
      const invoked = new Functions(localStack.endpointUrl).invoke('any', { do: 'spin', file });
      const broken = expect(invoked).rejects.toThrow();
      await vi.waitUntil(() => existsSync(file), PATIENCE);
      process.kill(localStack.pid, 'SIGKILL');
      await broken;
      await vi.waitUntil(() => !isRunning(pid), PATIENCE);
      await localStack.stop();
      expect(processesOf(localStack.stateFolder)).toEqual([]);
    });

    it('stops when the process that started it is killed', async () => {
      const starter = spawn(process.execPath, ['--import', 'tsx', 'test/docker-free/starter.ts'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = await once(starter.stdout, 'data');
      const { pid, stateFolder, logFile } = JSON.parse(line) as LocalStackProcess;
      expect(isRunning(pid)).toBe(true);
      starter.kill('SIGKILL');
      await vi.waitUntil(() => processesOf(stateFolder).length === 0, PATIENCE);
      rmSync(stateFolder, { recursive: true });
      rmSync(logFile);
    });

    it('reports that its port is taken', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      await expect(startLocalStack({ ...HOW, port })).rejects.toThrow(`port ${port} is taken`);
      server.close();
    });

    it('names its log when it does not come up', async () => {
      const logFile = join(folder, 'localstack.log');
      const before = process.env['GATEWAY_WORKER_COUNT'];
      process.env['GATEWAY_WORKER_COUNT'] = 'many';
      try {
        await expect(startLocalStack({ ...HOW, logFile })).rejects.toThrow(`its log is ${logFile}`);
      } finally {
        if (before === undefined) delete process.env['GATEWAY_WORKER_COUNT'];
        else process.env['GATEWAY_WORKER_COUNT'] = before;
      }
      expect(readFileSync(logFile, 'utf8')).toContain('many');
    });
  },
);

/** Makes it start every kind of process that it has. Returns the function's. */
async function aFunctionAndAStream({ endpointUrl }: LocalStackProcess): Promise<number> {
  const kinesis = new KinesisClient(clientConfig(endpointUrl));
  await kinesis.send(new CreateStreamCommand({ StreamName: 'any', ShardCount: 1 }));
  kinesis.destroy();
  const functions = new Functions(endpointUrl);
  await functions.create('any', MISBEHAVING, 60);
  return (await functions.invoke('any', { do: 'describe' })).payload.pid;
}

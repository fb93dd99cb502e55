import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateStreamCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { localStackHome, node24 } from '../../localstack/cache.mjs';
import { processesOf } from '../../localstack/docker-free/processes.ts';
import { type LocalStackProcess, startLocalStack } from '../../localstack/docker-free/start.ts';
import { isMissing } from '../support/setup-parts.ts';
import { clientConfig, Functions, isRunning } from './functions.ts';

const MISBEHAVING = readFileSync(new URL('./misbehaving.mjs', import.meta.url), 'utf8');
const PATIENCE = { timeout: 60_000, interval: 100 };
const OPTIONS = { home: localStackHome, node: node24 };

describe.skipIf(isMissing('localstack') || isMissing('node24'))(
  'LocalStack without Docker',
  { timeout: 180_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'outflow-'));
    afterAll(() => rmSync(folder, { recursive: true }));

    it('leaves no process, no file and no open port when it stops', async () => {
      const localStack = await startLocalStack(OPTIONS);
      const pid = await createFunctionAndStream(localStack);
      expect(processesOf(localStack.stateFolder)).toEqual(expect.arrayContaining([localStack.pid, pid]));
      await localStack.stop();
      await localStack.stop();
      expect(processesOf(localStack.stateFolder)).toEqual([]);
      expect(isRunning(localStack.pid) || isRunning(pid)).toBe(false);
      expect(existsSync(localStack.stateFolder) || existsSync(localStack.logFile)).toBe(false);
      await expect(fetch(localStack.endpointUrl)).rejects.toThrow();
    });

    it('ends its functions when it is killed, even busy ones', async () => {
      const localStack = await startLocalStack(OPTIONS);
      const pid = await createFunctionAndStream(localStack);
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

    it('refuses a port that another process uses', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      await expect(startLocalStack({ ...OPTIONS, port })).rejects.toThrow(
        `port: got ${port}, which another process uses`,
      );
      server.close();
    });

    it('names its log when it does not start', async () => {
      const logFile = join(folder, 'localstack.log');
      const before = process.env['GATEWAY_WORKER_COUNT'];
      process.env['GATEWAY_WORKER_COUNT'] = 'many';
      try {
        await expect(startLocalStack({ ...OPTIONS, logFile })).rejects.toThrow(`log: ${logFile}`);
      } finally {
        if (before === undefined) delete process.env['GATEWAY_WORKER_COUNT'];
        else process.env['GATEWAY_WORKER_COUNT'] = before;
      }
      expect(readFileSync(logFile, 'utf8')).toContain('many');
    });
  },
);

/** Makes LocalStack start all its types of processes. @returns the pid of the function */
async function createFunctionAndStream({ endpointUrl }: LocalStackProcess): Promise<number> {
  const kinesis = new KinesisClient(clientConfig(endpointUrl));
  await kinesis.send(new CreateStreamCommand({ StreamName: 'any', ShardCount: 1 }));
  kinesis.destroy();
  const functions = new Functions(endpointUrl);
  await functions.create('any', MISBEHAVING, 60);
  return (await functions.invoke('any', { do: 'describe' })).payload.pid;
}

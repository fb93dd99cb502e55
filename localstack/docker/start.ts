import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitUntilHealthy } from '../docker-free/health.ts';
import type { LocalStack, StartOptions } from '../docker-free/localstack.ts';
import { freePort } from '../docker-free/port.ts';

export type { LocalStack } from '../docker-free/localstack.ts';

export interface DockerOptions extends StartOptions {
  /**
   * `community` is the last version without a token. `token` is a later version, which reads LOCALSTACK_AUTH_TOKEN.
   *
   * @default 'community'
   */
  readonly edition?: 'community' | 'token';
}

const START_TIMEOUT_MS = 180_000;
const run = promisify(execFile);

/** Whether a Docker engine responds and the command has compose. */
export async function hasDocker(): Promise<boolean> {
  try {
    await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 10_000 });
    await run('docker', ['compose', 'version'], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

/** Starts LocalStack in Docker. Each function runs in its own container. @throws when it does not start; the message has its log. */
export async function startLocalStack(options: DockerOptions = {}): Promise<LocalStack> {
  const { edition = 'community', progress = () => {} } = options;
  const port = await freePort(options.port ?? 0);
  const endpointUrl = `http://127.0.0.1:${port}`;
  const env = { ...process.env, OUTFLOW_LOCALSTACK_PORT: String(port) };
  const compose = (...args: string[]) => [
    'compose',
    ...['--file', join(import.meta.dirname, 'compose.yaml')],
    ...['--project-name', `outflow-localstack-${port}`],
    ...['--profile', edition],
    ...args,
  ];
  let stopping: Promise<unknown> | undefined;
  const stop = async () => {
    stopping ??= run('docker', compose('down', '--volumes', '--timeout', '20'), { env });
    await stopping;
  };
  try {
    // Its output shows the progress of image pulls.
    const up = spawn('docker', compose('up', '--detach'), { env, stdio: ['ignore', 'inherit', 'inherit'] });
    const [code] = await once(up, 'exit');
    if (code !== 0) throw new Error(`docker compose up: exit ${code}`);
    await waitUntilHealthy(endpointUrl, { timeoutMs: START_TIMEOUT_MS, progress, exitReason: () => undefined });
  } catch (cause) {
    const { stdout } = await run('docker', compose('logs', '--no-color', '--tail', '50'), { env }).catch(() => ({
      stdout: '',
    }));
    await stop().catch(() => {});
    throw new Error(`${(cause as Error).message}\n${stdout}`, { cause });
  }
  return { endpointUrl, stop };
}

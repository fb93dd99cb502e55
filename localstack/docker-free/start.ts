import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntilHealthy } from './health.ts';
import type { LocalStack, StartOptions } from './localstack.ts';
import { freePort } from './port.ts';
import { processesOf } from './processes.ts';

export type { LocalStack } from './localstack.ts';

export interface DockerFreeOptions extends StartOptions {
  /** Folder into which `install` has installed LocalStack. */
  readonly home: string;
  /** Path of the Node.js executable that runs the functions. */
  readonly node: string;
  /**
   * Log file of LocalStack.
   *
   * @default - a temporary file, deleted by `stop`
   */
  readonly logFile?: string;
}

/** LocalStack as a process of this machine. */
export interface LocalStackProcess extends LocalStack {
  readonly pid: number;
  readonly logFile: string;
  /** Folder of all its files. Each process that it starts has the folder's name in its environment. */
  readonly stateFolder: string;
}

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 20_000;

/**
 * Starts LocalStack without Docker. Lambda functions run as processes. LocalStack stops when the process that started it ends.
 *
 * @throws when LocalStack does not start; the message has the path of its log.
 */
export async function startLocalStack(options: DockerFreeOptions): Promise<LocalStackProcess> {
  const { home, node, progress = () => {} } = options;
  const python = join(home, 'venv/bin/python');
  if (!existsSync(python))
    throw new Error(
      `${python} is missing. Run \`npx outflow localstack\`, or \`npm run setup -- localstack\` in a clone`,
    );
  const port = await freePort(options.port ?? 0);
  const endpointUrl = `http://127.0.0.1:${port}`;
  // The temporary folder of macOS is a symbolic link.
  const stateFolder = mkdtempSync(join(realpathSync(tmpdir()), 'outflow-localstack-'));
  const logFile = options.logFile ?? `${stateFolder}.log`;
  mkdirSync(dirname(logFile), { recursive: true });

  const log = openSync(logFile, 'w');
  const child = spawn(python, ['-m', 'outflow_lambda_executor'], {
    cwd: stateFolder,
    env: environment(home, node, stateFolder, port),
    stdio: ['pipe', log, log],
    // Its own process group, so that Ctrl-C in a terminal does not reach it before `stop` does.
    detached: true,
  });
  closeSync(log);
  const ended = once(child, 'exit');
  ended.catch(() => {});

  const stop = runOnce(async () => {
    await end(child, ended, stateFolder);
    rmSync(stateFolder, { recursive: true, force: true });
  });
  try {
    await once(child, 'spawn');
    await waitUntilHealthy(endpointUrl, {
      timeoutMs: START_TIMEOUT_MS,
      progress,
      exitReason: () => (hasEnded(child) ? `exit ${child.exitCode ?? child.signalCode}` : undefined),
    });
  } catch (cause) {
    await stop();
    throw new Error(`${(cause as Error).message}; log: ${logFile}`, { cause });
  }
  return {
    endpointUrl,
    pid: child.pid!,
    logFile,
    stateFolder,
    async stop() {
      await stop();
      if (options.logFile === undefined) rmSync(logFile, { force: true });
    },
  };
}

function environment(home: string, node: string, stateFolder: string, port: number): NodeJS.ProcessEnv {
  const temporary = join(stateFolder, 'tmp');
  const libraries = join(stateFolder, 'usr/lib/localstack');
  mkdirSync(temporary);
  mkdirSync(dirname(libraries), { recursive: true });
  // LocalStack looks for its Kinesis here, and installs it when it is absent.
  symlinkSync(join(home, 'filesystem/usr/lib/localstack'), libraries);
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS_|PYTHON|NODE_OPTIONS$)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    GATEWAY_LISTEN: `127.0.0.1:${port}`,
    // LocalStack puts it into queue URLs, which must work offline and with this port.
    LOCALSTACK_HOST: `127.0.0.1:${port}`,
    SQS_ENDPOINT_STRATEGY: 'path',
    DNS_ADDRESS: '0',
    SKIP_SSL_CERT_DOWNLOAD: '1',
    DISABLE_EVENTS: '1',
    // Without it, LocalStack writes to /var/lib/localstack inside a container.
    OVERRIDE_IN_DOCKER: '0',
    FILESYSTEM_ROOT: stateFolder,
    TMPDIR: temporary,
    XDG_CACHE_HOME: join(home, 'cache'),
    KINESIS_PERSISTENCE: '0',
    KINESIS_LATENCY: '0',
    // The community edition has no topic rules and dashboards. Later versions refuse such a stack without this setting.
    CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES: '1',
    LAMBDA_RUNTIME_EXECUTOR: 'process',
    LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT: '60',
    // A mapping without a window pauses after each poll: 1 s by default, and up to 10 s after empty polls.
    LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC: '0.1',
    LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC: '1',
    OUTFLOW_LAMBDA_NODE: node,
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

async function end(child: ChildProcess, ended: Promise<unknown>, stateFolder: string): Promise<void> {
  if (!hasEnded(child)) {
    child.kill('SIGTERM');
    await Promise.race([ended, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })]);
    if (!hasEnded(child)) {
      child.kill('SIGKILL');
      await ended;
    }
  }
  // After SIGKILL, LocalStack's Kinesis may still run, because it has a process group of its own.
  for (const pid of processesOf(stateFolder)) kill(pid);
  while (processesOf(stateFolder).length > 0) await sleep(50);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function runOnce(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from './layout.ts';

/** A server process that ends with the process that has started it. */
export interface ServerProcess {
  readonly pid: number;
  /** How the process has ended, such as `exit 1` or `SIGKILL`; `undefined` while it runs. */
  readonly ended: () => string | undefined;
  signal(signal: NodeJS.Signals): void;
  /** Asks the process to end, and kills it if it takes longer than 30 s. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

const STOP_TIMEOUT_MS = 30_000;

// The program takes over the shell's pid. The background reader of the fourth descriptor kills it once the process that started it is
// gone: only an orderly end writes a line there.
const START = '{ read -r line <&3 || kill -9 $$; } >/dev/null 2>&1 & exec "$@" 3<&-';

/** Starts a server; its output goes to the log file. */
export async function startProcess({ program, args, env }: Command, folder: string): Promise<ServerProcess> {
  const log = openSync(logFile(folder), 'a');
  const child = spawn('sh', ['-c', START, 'sh', program, ...args], {
    cwd: folder,
    stdio: ['ignore', log, log, 'pipe'],
    // A server has no use for the credentials and proxies of this process.
    env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, ...env },
    // In a process group of its own, it survives Ctrl-C and can be stopped in order.
    detached: true,
  });
  closeSync(log);
  await once(child, 'spawn');
  const ended = once(child, 'exit').then(() => (child.stdio[3] as Writable).end('\n'));
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return {
    pid: child.pid!,
    ended: () => child.signalCode ?? (child.exitCode === null ? undefined : `exit ${child.exitCode}`),
    signal: (signal) => child.kill(signal),
    async stop() {
      child.kill('SIGTERM');
      const given = new AbortController();
      const late = sleep(STOP_TIMEOUT_MS, undefined, { signal: given.signal }).then(kill, () => {});
      await ended;
      given.abort();
      await late;
    },
    kill,
  };
}

/** All that the server in this folder has logged. */
export function readLog(folder: string): string {
  return readFileSync(logFile(folder), 'utf8');
}

function logFile(folder: string): string {
  return join(folder, 'broker.log');
}

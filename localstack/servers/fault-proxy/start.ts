import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../docker-free/port.ts';
import { type ControlApi, openControlApi } from './control-api.ts';
import { executable, isInstalled } from './install.mjs';
import { type Link, openLink } from './link.ts';

export type { Link } from './link.ts';
export type { Toxic } from './toxic.ts';

/** A Toxiproxy process on this machine. It puts faults between clients and their servers. */
export interface FaultProxy {
  readonly pid: number;
  /** Opens a link without faults to the server at `upstream`, `host:port`. */
  link(options: { readonly upstream: string }): Promise<Link>;
  /** Kills the process, and with it all links. Repeated calls are safe. */
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  /** The folder that `npm run setup -- fault-proxy` has made. */
  readonly home: string;
  /**
   * Called if the process ends before `close`. The links have failed by then.
   *
   * @default - throws the error as an uncaught exception
   */
  readonly onCrash?: (error: Error) => void;
  /**
   * Time limit for one attempt of a control call.
   *
   * @default 5000
   */
  readonly callTimeoutMs?: number;
}

const START_TIMEOUT_MS = 60_000;
const CALL_TIMEOUT_MS = 5_000;
const POLL_MS = 25;
const LOG_CHARACTERS = 2_000;

// Toxiproxy takes over the shell's pid. The background reader of the fourth descriptor kills it once the process that
// started it is gone: only an orderly end writes a line there. On SIGTERM, Toxiproxy would wait for blocked calls.
const START = '{ read -r line <&3 || kill -9 $$; } >/dev/null 2>&1 & exec "$@" 3<&-';

/**
 * Starts Toxiproxy on a free port of the loopback interface.
 *
 * @throws Error if it is not installed
 * @throws Error with its log if it does not answer within 60 s
 */
export async function startFaultProxy({
  home,
  onCrash = raise,
  callTimeoutMs = CALL_TIMEOUT_MS,
}: FaultProxyOptions): Promise<FaultProxy> {
  const server = executable(home);
  if (!isInstalled(home)) throw new Error(`${server} is missing. Run \`npm run setup -- fault-proxy\``);
  const port = await freePort(0);
  const child = spawn('sh', ['-c', START, 'sh', server, '-host', '127.0.0.1', '-port', `${port}`], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], LOG_LEVEL: 'warn' },
  });
  const log = tail(child);
  let isStarted = false;
  let isClosing = false;
  let end: Error | undefined;
  const ended = once(child, 'exit').then(([code, signal]) => {
    (child.stdio[3] as Writable).end('\n');
    if (isClosing) {
      end = new Error('the fault proxy is closed');
      return;
    }
    end = new Error(`the fault proxy process ended: ${signal ?? `exit ${code}`}. Its log: ${log() || 'empty'}`);
    if (isStarted) onCrash(end);
  });
  ended.catch(() => {}); // The wait for 'spawn' below rejects too.
  const api = openControlApi({ port, timeoutMs: callTimeoutMs, ended: () => end, log });

  const close = async () => {
    isClosing = true;
    // It has nothing to save.
    if (end === undefined) child.kill('SIGKILL');
    await Promise.allSettled([ended]);
  };

  try {
    await once(child, 'spawn');
    await untilAnswering(api, () => end);
  } catch (cause) {
    await close();
    throw new Error(`the fault proxy did not start: ${(cause as Error).message}`, { cause });
  }
  isStarted = true;

  let links = 0;
  return {
    pid: child.pid!,
    link: ({ upstream }) => openLink(api, `link-${++links}`, upstream),
    close,
  };
}

async function untilAnswering(api: ControlApi, ended: () => Error | undefined): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await api('GET', '/version', undefined, { attempts: 1 });
      return;
    } catch (error) {
      const end = ended();
      if (end !== undefined) throw end;
      if (Date.now() > deadline) throw error;
    }
    await sleep(POLL_MS);
  }
}

/** Keeps the last characters of a process's output. */
function tail({ stdout, stderr }: ChildProcess): () => string {
  let text = '';
  for (const stream of [stdout!, stderr!])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-LOG_CHARACTERS);
    });
  return () => text.trim();
}

function raise(error: Error): void {
  queueMicrotask(() => {
    throw error;
  });
}

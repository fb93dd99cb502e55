import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../docker-free/port.ts';
import { executable, isInstalled } from './install.mjs';
import { type Api, type Link, openLink } from './link.ts';

export type { Link } from './link.ts';
export type { Toxic } from './toxic.ts';

/** Puts faults between a client and its server: Toxiproxy, as a process of this machine. */
export interface FaultProxy {
  readonly pid: number;
  /** A link to the server at `upstream`, `host:port`; without faults, and reachable at once. */
  link(options: { readonly upstream: string }): Promise<Link>;
  /** Ends it with all links. Safe to call again. */
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  /** Where `npm run setup -- fault-proxy` has put it. */
  readonly home: string;
  /**
   * Hears that it ended without being closed; its links have failed since.
   *
   * @default - throws, as an uncaught exception
   */
  readonly onCrash?: (error: Error) => void;
}

const START_TIMEOUT_MS = 20_000;
const CALL_TIMEOUT_MS = 15_000;
const POLL_MS = 25;
const LOG_CHARACTERS = 2_000;

// The server has the shell's pid. What reads the fourth descriptor ends it when the process that started it has gone:
// only an orderly end writes a line there.
const START = '{ read -r line <&3 || kill $$; } >/dev/null 2>&1 & exec "$@" 3<&-';

/** Starts it on a free port of the loopback interface. @throws when it is missing, or does not come up: with its log. */
export async function startFaultProxy({ home, onCrash = raise }: FaultProxyOptions): Promise<FaultProxy> {
  const server = executable(home);
  if (!isInstalled(home)) throw new Error(`${server} is missing; \`npm run setup -- fault-proxy\` makes it`);
  const port = await freePort(0);
  const child = spawn('sh', ['-c', START, 'sh', server, '-host', '127.0.0.1', '-port', `${port}`], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], LOG_LEVEL: 'warn' },
  });
  const log = tail(child);
  let isStarted = false;
  let isClosing = false;
  let crash: Error | undefined;
  const ended = once(child, 'exit').then(([code, signal]) => {
    (child.stdio[3] as Writable).end('\n');
    if (isClosing) return;
    crash = new Error(`the fault proxy ended: ${signal ?? `exit ${code}`}; its log: ${log() || 'empty'}`);
    if (isStarted) onCrash(crash);
  });
  ended.catch(() => {}); // The wait below tells it too.

  const api: Api = async (method, path, body) => {
    const call = `${method} ${path}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`;
    let response: Response;
    try {
      response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new Error(`fault proxy, ${call}: no answer`, { cause: crash ?? cause });
    }
    const answer = await response.text();
    if (!response.ok) throw new Error(`fault proxy, ${call}: ${response.status} ${answer.trim()}`);
    return answer === '' ? undefined : JSON.parse(answer);
  };

  const close = async () => {
    isClosing = true;
    // It has nothing to save.
    if (crash === undefined) child.kill('SIGKILL');
    await ended;
  };

  try {
    await once(child, 'spawn');
    await answering(api, () => crash);
  } catch (cause) {
    await close();
    throw new Error(`the fault proxy did not start: ${(cause as Error).message}; its log: ${log() || 'empty'}`, {
      cause,
    });
  }
  isStarted = true;

  let links = 0;
  return {
    pid: child.pid!,
    link: ({ upstream }) => openLink(api, `link-${++links}`, upstream),
    close,
  };
}

async function answering(api: Api, crashed: () => Error | undefined): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await api('GET', '/version');
      return;
    } catch (error) {
      const crash = crashed();
      if (crash !== undefined) throw crash;
      if (Date.now() > deadline) throw error;
    }
    await sleep(POLL_MS);
  }
}

/** The last that a process has printed. */
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

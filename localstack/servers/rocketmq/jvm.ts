import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { jdk } from '../java.mjs';

const POLL_MS = 50;
const TAIL_LINES = 20;

export interface JvmOptions {
  /** The log is `<folder>/<name>.log`. */
  readonly name: string;
  /** Working folder, home, temporary folder and ROCKETMQ_HOME of the program. */
  readonly folder: string;
  readonly classPath: string;
  /** The main class, then its arguments. */
  readonly main: readonly string[];
  readonly heapMb: number;
  readonly directMb?: number;
  /**
   * Whether the JVM uses its optimizing compiler: faster in the long run, slower until then.
   *
   * @default false
   */
  readonly isOptimized?: boolean;
  /** A Java agent. @default - none */
  readonly agent?: string;
  /** System properties. */
  readonly properties?: Record<string, string>;
  /** Called for each line of standard output. @default - standard output goes to the log */
  readonly onLine?: (line: string) => void;
  /** Called with the exit code or signal after the last line. */
  readonly onEnd?: (how: string) => void;
}

/** A Java program that runs until it is killed or its standard input ends. */
export interface Jvm {
  readonly pid: number;
  readonly stdin: Writable;
  isRunning(): boolean;
  /**
   * Waits until the condition is true. A condition that throws counts as false.
   *
   * @throws Error with the log's last lines if the program ends first or the time is over
   */
  until(what: string, condition: () => Promise<boolean>, timeoutMs: number): Promise<void>;
  /** Kills the program, as a power failure would, and waits for its end. Repeated calls are safe. */
  kill(): Promise<void>;
}

// Netty and the message store use internals of the JDK.
const OPENED = ['java.nio', 'sun.nio.ch', 'java.lang', 'jdk.internal.ref'].flatMap((name) => [
  `--add-opens=java.base/${name}=ALL-UNNAMED`,
  `--add-exports=java.base/${name}=ALL-UNNAMED`,
]);

export async function startJvm(options: JvmOptions): Promise<Jvm> {
  const { name, folder, classPath, main, heapMb, properties = {} } = options;
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, 'a');
  const child = spawn(
    jdk('java'),
    [
      '-XX:+UseSerialGC',
      ...(options.isOptimized ? [] : ['-XX:TieredStopAtLevel=1']),
      '-XX:-UsePerfData',
      `-Xms${heapMb}m`,
      `-Xmx${heapMb}m`,
      ...(options.directMb ? [`-XX:MaxDirectMemorySize=${options.directMb}m`] : []),
      ...OPENED,
      ...(options.agent ? [`-javaagent:${options.agent}`] : []),
      `-Duser.home=${folder}`,
      `-Djava.io.tmpdir=${folder}`,
      ...Object.entries(properties).map(([key, value]) => `-D${key}=${value}`),
      '-cp',
      classPath,
      ...main,
    ],
    {
      cwd: folder,
      // Credentials for AWS are no business of a server.
      env: { ...withoutAws(process.env), ROCKETMQ_HOME: folder },
      stdio: ['pipe', options.onLine ? 'pipe' : log, log],
      // In a process group of its own, it survives Ctrl-C and can be stopped in order.
      detached: true,
    },
  );
  closeSync(log);
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new Error(`${jdk('java')} does not start; RocketMQ needs JDK 11 or newer`, { cause });
  }
  const ended = once(child, 'exit');
  ended.catch(() => {});
  // `until` reports the end of the program; a late write to it is no error.
  const stdin = child.stdin!;
  stdin.on('error', () => {});
  if (options.onLine) createInterface({ input: child.stdout! }).on('line', options.onLine);
  if (options.onEnd) child.on('close', () => options.onEnd?.(ending(child)));

  return {
    pid: child.pid!,
    stdin,
    isRunning: () => !hasEnded(child),
    async until(what, condition, timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      let reason: unknown;
      for (;;) {
        try {
          if (await condition()) return;
        } catch (error) {
          reason = error;
        }
        const why = hasEnded(child)
          ? `the program ended with ${ending(child)}`
          : Date.now() > deadline && `not within ${timeoutMs / 1000} s`;
        if (why) throw new Error(`${name}: ${what}: ${why}\n${tail(logFile)}`, { cause: reason });
        await sleep(POLL_MS);
      }
    },
    async kill() {
      if (hasEnded(child)) return;
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AWS_')));
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function ending(child: ChildProcess): string {
  return String(child.exitCode ?? child.signalCode);
}

function tail(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n') : '';
}

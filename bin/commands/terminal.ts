import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';

/** Where a command writes, and whom it asks. */
export interface Terminal {
  /** Somebody is there to be asked. */
  readonly isInteractive: boolean;
  readonly columns: number;
  /** The answer, for standard output. */
  print(text: string): void;
  /** What is said beside it. */
  note(text: string): void;
  /** Says what goes on, once it has taken a second, until it ends. */
  during<Result>(describe: () => string, work: Promise<Result>): Promise<Result>;
  confirm(question: string): Promise<boolean>;
  /** Clears what was printed before. */
  clear(): void;
  /** The answer is a bad one: the exit code is 1. */
  fail(): void;
}

const EACH_MS = 1_000;
/** In a log, each line stays. */
const EACH_MS_IN_A_LOG = 5_000;

/** The terminal of this process: answers on standard output, all else on standard error. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  return {
    isInteractive: stdin.isTTY === true && stderr.isTTY === true,
    columns: stdout.isTTY ? stdout.columns : Number.POSITIVE_INFINITY,
    print: (text) => console.log(text),
    note: (text) => console.error(text),
    async during(describe, work) {
      const show = () => stderr.write(stderr.isTTY ? `\r\x1b[2K${describe()}` : `${describe()}\n`);
      let hasShown = false;
      let elapsedMs = 0;
      const timer = setInterval(() => {
        elapsedMs += EACH_MS;
        if (!stderr.isTTY && hasShown && elapsedMs % EACH_MS_IN_A_LOG !== 0) return;
        hasShown = true;
        show();
      }, EACH_MS);
      try {
        return await work;
      } finally {
        clearInterval(timer);
        if (hasShown && stderr.isTTY) stderr.write('\r\x1b[2K');
      }
    },
    async confirm(question) {
      const lines = createInterface({ input: stdin, output: stderr });
      try {
        // An end of input is no answer.
        const answer = await Promise.race([lines.question(`${question} [y/N] `), once(lines, 'close').then(() => '')]);
        return /^(y|yes|ok)$/i.test(answer.trim());
      } finally {
        lines.close();
      }
    },
    clear() {
      if (stdout.isTTY) stdout.write('\x1b[2J\x1b[H');
    },
    fail() {
      process.exitCode = 1;
    },
  };
}

import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';

/** The output of a command, and its questions. */
export interface Terminal {
  /** A person can answer questions. */
  readonly isInteractive: boolean;
  readonly columns: number;
  /** It shows colours: it is a terminal, and NO_COLOR is not set. */
  readonly isColoured: boolean;
  /** Prints the result to standard output. */
  print(text: string): void;
  /** Prints a note to standard error. */
  note(text: string): void;
  /** Shows progress while work runs, if it takes longer than a second. */
  during<Result>(describe: () => string, work: Promise<Result>): Promise<Result>;
  confirm(question: string): Promise<boolean>;
  /** Clears the screen. */
  clear(): void;
  /** Sets the exit code to 1. */
  fail(): void;
}

const PROGRESS_MS = 1_000;
/** A log keeps every line, so it gets fewer. */
const PROGRESS_IN_LOG_MS = 5_000;

/** The terminal of this process: results on standard output, everything else on standard error. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  return {
    isInteractive: stdin.isTTY === true && stderr.isTTY === true,
    columns: stdout.isTTY ? stdout.columns : Number.POSITIVE_INFINITY,
    isColoured: showsColours(stdout),
    print: (text) => console.log(text),
    note: (text) => console.error(text),
    async during(describe, work) {
      const show = () => stderr.write(stderr.isTTY ? `\r\x1b[2K${describe()}` : `${describe()}\n`);
      let hasShown = false;
      let elapsedMs = 0;
      const timer = setInterval(() => {
        elapsedMs += PROGRESS_MS;
        if (!stderr.isTTY && hasShown && elapsedMs % PROGRESS_IN_LOG_MS !== 0) return;
        hasShown = true;
        show();
      }, PROGRESS_MS);
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
        // The end of input counts as no.
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

/** Whether an output shows colours (https://no-color.org). */
export function showsColours({ isTTY }: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  return isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

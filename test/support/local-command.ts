import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A command that runs until Ctrl-C, such as `outflow local`, as a child process, once it runs. */
export interface LocalCommand {
  /** Address that it has printed: that of its broker by default. */
  readonly url: string;
  /** Types a command into its terminal. */
  type(line: string): void;
  /** All that was printed so far. */
  printed(): string;
  /** As Ctrl-C does; resolves to the exit code and all that was printed. */
  interrupt(): Promise<{ code: number | null; printed: string }>;
}

const BROKER = /IoT Core +(mqtt:\S+).*Ctrl-C/s;

/**
 * Starts Node with these arguments.
 *
 * @param address Finds, in what was printed, the address of a command that is up.
 * @throws with what was printed when it ends before it is up
 */
export async function startLocal(args: readonly string[], cwd: string, address = BROKER): Promise<LocalCommand> {
  const child = spawn(process.execPath, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let printed = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data) => {
      printed += data;
      const match = address.exec(printed);
      if (match !== null) resolve(match[1]!);
    });
    exited.then(() => reject(new Error(printed)), reject);
  });
  return {
    url,
    type: (line) => void child.stdin.write(`${line}\n`),
    printed: () => printed,
    async interrupt() {
      child.kill('SIGINT');
      const [code] = await exited;
      return { code, printed };
    },
  };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** A command that runs until Ctrl-C, such as `outflow local`, as a child process, once it runs. */
export interface LocalCommand {
  /** The address that the command has printed; by default, that of its broker. */
  readonly url: string;
  /** Types a command into its terminal. */
  type(line: string): void;
  /** Everything that the command has printed so far. */
  printed(): string;
  /** Sends SIGINT, as Ctrl-C does. Resolves to the exit code and everything that the command has printed. */
  interrupt(): Promise<{ code: number | null; printed: string }>;
}

const BROKER = /IoT Core +(mqtt:\S+).*Ctrl-C/s;

/**
 * Starts Node with these arguments, and waits until the command runs.
 *
 * @param address Matches the output of a command that runs; its first group is the address.
 * @throws when the command ends first; the message is its output.
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

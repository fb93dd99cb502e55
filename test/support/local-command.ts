import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** `outflow local` as a child process, once it runs. */
export interface LocalCommand {
  /** Address of its broker. */
  readonly url: string;
  /** Types a command into its terminal. */
  type(line: string): void;
  /** All that was printed so far. */
  printed(): string;
  /** As Ctrl-C does; resolves to the exit code and all that was printed. */
  interrupt(): Promise<{ code: number | null; printed: string }>;
}

/** Starts Node with these arguments. @throws with what was printed when it ends before it is up. */
export async function startLocal(args: readonly string[], cwd: string): Promise<LocalCommand> {
  const child = spawn(process.execPath, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let printed = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data) => {
      printed += data;
      const match = /IoT Core +(mqtt:\S+).*Ctrl-C/s.exec(printed);
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

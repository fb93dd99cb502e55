import { createInterface } from 'node:readline';
import { Command, CommanderError } from 'commander';
import { operateCommands } from './operate.ts';
import type { Operator } from './operator.ts';

/** Runs typed lines as commands, one after the other. */
export interface Lines {
  /** Runs a line as if it was typed. Resolves when the command has ended; prints its error. */
  type(line: string): Promise<void>;
  /** Stops reading lines. */
  close(): void;
}

/** Reads commands from a stream, for the tasks of this process. An unknown command prints the list of commands. */
export function readLines(operator: Operator, input: NodeJS.ReadableStream): Lines {
  const { terminal } = operator;
  let last: Promise<void> = Promise.resolve();
  const awaited: (() => void)[] = [];
  const nextLine = () => new Promise<void>((resolve) => awaited.push(resolve));

  async function runLine(line: string): Promise<void> {
    const words = line
      .trim()
      .replace(/^(npx )?outflow\b/, '')
      .trim()
      .split(/\s+/);
    if (words[0] === '') return;
    try {
      await program({ ...operator, nextLine }).parseAsync(words, { from: 'user' });
    } catch (error) {
      // Commander has printed its own errors.
      if (!(error instanceof CommanderError)) terminal.print(`  ${(error as Error).message}`);
    }
  }

  const lines = createInterface({ input, terminal: false });
  const type = (line: string) => {
    for (const resolve of awaited.splice(0)) resolve();
    last = last.then(() => runLine(line));
    return last;
  };
  lines.on('line', (line) => void type(line));
  const close = () => {
    for (const resolve of awaited.splice(0)) resolve();
    lines.close();
  };
  return { type, close };
}

// A new program for each line, because a command keeps the options of its last run.
function program(operator: Operator): Command {
  const { print } = operator.terminal;
  const program = new Command('outflow')
    .usage('<command>')
    .exitOverride()
    .configureOutput({ writeOut: (text) => print(text.trimEnd()), writeErr: (text) => print(text.trimEnd()) });
  for (const command of operateCommands(operator)) program.addCommand(command.copyInheritedSettings(program));
  return program;
}

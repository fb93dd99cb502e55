import { createInterface } from 'node:readline';
import { Command, CommanderError } from 'commander';
import { operateCommands } from './operate.ts';
import type { Operator } from './operator.ts';

/** Carries out typed lines as operator's commands, one after the other. */
export interface Lines {
  /** Resolves when the line is done; what goes wrong is printed. */
  type(line: string): Promise<void>;
  /** Takes no more lines. */
  close(): void;
}

/** Reads commands from a stream, for the tasks of this process. A line that is not a command is answered with those there are. */
export function readLines(operator: Operator, input: NodeJS.ReadableStream): Lines {
  const { terminal } = operator;
  let last: Promise<void> = Promise.resolve();

  async function carryOut(line: string): Promise<void> {
    const words = line
      .trim()
      .replace(/^(npx )?outflow\b/, '')
      .trim()
      .split(/\s+/);
    if (words[0] === '') return;
    try {
      await program(operator).parseAsync(words, { from: 'user' });
    } catch (error) {
      // Commander has said it already.
      if (!(error instanceof CommanderError)) terminal.print(`  ${(error as Error).message}`);
    }
  }

  const lines = createInterface({ input, terminal: false });
  const type = (line: string) => {
    last = last.then(() => carryOut(line));
    return last;
  };
  lines.on('line', (line) => void type(line));
  return { type, close: () => lines.close() };
}

// Anew for each line: a command remembers its options.
function program(operator: Operator): Command {
  const { print } = operator.terminal;
  const program = new Command('outflow')
    .usage('<command>')
    .exitOverride()
    .configureOutput({ writeOut: (text) => print(text.trimEnd()), writeErr: (text) => print(text.trimEnd()) });
  for (const command of operateCommands(operator)) program.addCommand(command.copyInheritedSettings(program));
  return program;
}

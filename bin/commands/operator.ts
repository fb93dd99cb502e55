import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import type { Cloud } from '../cloud/cloud.ts';
import type { WaitClock } from './change-state.ts';
import { jsonText, printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** The tasks that the commands operate, and the terminal that they print to. */
export interface Operator {
  readonly terminal: Terminal;
  /** The tasks run in this process: the commands have no stack options, and the cloud stays open after a command. */
  readonly isInProcess: boolean;
  open(scope: Scope): Promise<Cloud>;
  /** @default the clock of the machine */
  readonly clock?: WaitClock;
}

/** The stacks that a command works on, and its output format. */
export interface Scope {
  readonly stack?: readonly string[];
  readonly assembly?: string;
  readonly json?: boolean;
}

const ASSEMBLY = 'cdk.out';

/** Makes a command with the options that all of them share. */
export function operatorCommand(name: string, { isInProcess }: Operator): Command {
  const command = new Command(name).option('--json', 'print the result as JSON');
  if (isInProcess) return command;
  return command
    .option('--stack <name>', 'a deployed stack; repeatable', collect)
    .option('--assembly <folder>', `a synthesized cloud assembly that lists the stacks (default: ${ASSEMBLY})`);
}

/** Opens the cloud, runs a command on it, and closes it. */
export async function onCloud(
  operator: Operator,
  scope: Scope,
  act: (cloud: Cloud, terminal: Terminal) => Promise<void>,
): Promise<void> {
  const cloud = await operator.open(scope);
  try {
    await act(cloud, operator.terminal);
  } finally {
    cloud.close();
  }
}

/** Prints a result as JSON or as text. */
export function printResult(terminal: Terminal, { json }: Scope, value: unknown, text: () => string): void {
  terminal.print(json ? jsonText(value) : text());
}

/** Operates deployed stacks. Region, credentials and endpoint come from the environment of the AWS SDK. */
export function awsOperator(terminal: Terminal): Operator {
  return {
    terminal,
    isInProcess: false,
    async open({ stack = [], assembly }) {
      // Loaded on demand, so that other commands start without the AWS clients.
      const { awsCloud } = await import('../cloud/aws.ts');
      return awsCloud({
        stackNames: stack.length > 0 ? stack : stacksOf(assembly),
        onNote: (note) => terminal.note(printable(note)),
      });
    },
  };
}

function stacksOf(assembly: string | undefined): string[] {
  if (assembly === undefined && !existsSync(ASSEMBLY))
    throw new Error(
      `${ASSEMBLY} does not exist in this folder; name a stack with --stack, or an assembly with --assembly`,
    );
  const names = readAssembly(assembly ?? ASSEMBLY)
    .filter(({ tasks }) => tasks.length > 0)
    .map(({ name }) => name);
  if (names.length === 0) throw new Error(`${assembly ?? ASSEMBLY} has no stack with an OutflowTask`);
  return names;
}

export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** A parser of whole numbers for an option. */
export function wholeNumber(from: number, to = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const expected =
    to === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${from}` : `a whole number, ${from} to ${to}`;
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < from || value > to) throw new InvalidArgumentError(`expected ${expected}`);
    return value;
  };
}

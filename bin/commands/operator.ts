import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import type { Cloud } from '../cloud/cloud.ts';
import { jsonText, printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** What the operator's commands work on, and where they answer. */
export interface Operator {
  readonly terminal: Terminal;
  /** The tasks run in this process: there is no stack to name, and the cloud outlives the command. */
  readonly isHere: boolean;
  open(where: Where): Promise<Cloud>;
}

/** Which stacks a command is about. */
export interface Where {
  readonly stack?: readonly string[];
  readonly assembly?: string;
  readonly json?: boolean;
}

const ASSEMBLY = 'cdk.out';

/** A command with the options that all of them have. */
export function operatorCommand(name: string, { isHere }: Operator): Command {
  const command = new Command(name).option('--json', 'print the result as JSON');
  if (isHere) return command;
  return command
    .option('--stack <name>', 'a deployed stack; may be given several times', collect)
    .option('--assembly <folder>', `a synthesized cloud assembly that lists the stacks (default: ${ASSEMBLY})`);
}

/** Carries out what a command does on its cloud. */
export async function onCloud(
  operator: Operator,
  where: Where,
  act: (cloud: Cloud, terminal: Terminal) => Promise<void>,
): Promise<void> {
  const cloud = await operator.open(where);
  try {
    await act(cloud, operator.terminal);
  } finally {
    cloud.close();
  }
}

/** Prints a result for programs, or for people. */
export function answer(terminal: Terminal, { json }: Where, value: unknown, text: () => string): void {
  terminal.print(json ? jsonText(value) : text());
}

/** Operates what is deployed, by the AWS SDK's own environment. */
export function awsOperator(terminal: Terminal): Operator {
  return {
    terminal,
    isHere: false,
    async open({ stack = [], assembly }) {
      // Loaded here: other commands start without AWS's clients.
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
      `there is no ${ASSEMBLY} here to list the stacks; name one with --stack, or an assembly with --assembly`,
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

/** Reads an option that is a whole number. */
export function whole(from: number, to = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const wanted =
    to === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${from}` : `a whole number, ${from} to ${to}`;
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < from || value > to) throw new InvalidArgumentError(`expected ${wanted}`);
    return value;
  };
}

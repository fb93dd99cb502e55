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
  /** Resolves when the next line is typed; in this process only. It ends a command that goes on for ever. */
  readonly nextLine?: () => Promise<void>;
  /** @default the clock of the machine */
  readonly clock?: WaitClock;
}

/** The stacks that a command works on, and its output format. */
export interface Scope {
  readonly stack?: readonly string[];
  readonly assembly?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly json?: boolean;
}

const ASSEMBLY = 'cdk.out';

/** Makes a command with the options that all of them share. */
export function operatorCommand(name: string, { isInProcess }: Operator): Command {
  const command = new Command(name).option('--json', 'print the result as JSON');
  if (isInProcess) return command;
  return command
    .option('--stack <name>', 'a deployed stack; repeatable', collect)
    .option('--region <region>', 'the Region (default: that of the assembly, else that of the AWS SDK)')
    .option('--profile <name>', 'the profile of the AWS configuration files')
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

/**
 * Operates deployed stacks. Credentials and endpoint come from the environment of the AWS SDK, and so does the Region unless an
 * option or the assembly states it.
 */
export function awsOperator(terminal: Terminal): Operator {
  return {
    terminal,
    isInProcess: false,
    async open({ stack = [], assembly, region, profile }) {
      const { stackNames, environment } = deployedStacks(stack, assembly);
      const chosen = region ?? environment?.region;
      if (chosen !== undefined) process.env['AWS_REGION'] = chosen;
      if (profile !== undefined) process.env['AWS_PROFILE'] = profile;
      // Loaded on demand, so that other commands start without the AWS clients.
      const { awsCloud } = await import('../cloud/aws.ts');
      return awsCloud({
        stackNames,
        onNote: (note) => terminal.note(printable(note)),
      });
    },
  };
}

/** The stacks that are named, or those of an assembly that have tasks, and where the assembly deploys them. */
function deployedStacks(named: readonly string[], assembly: string | undefined) {
  const folder = assembly ?? ASSEMBLY;
  if (assembly === undefined && !existsSync(ASSEMBLY)) {
    if (named.length > 0) return { stackNames: named };
    throw new Error(
      `${ASSEMBLY} does not exist in this folder; name a stack with --stack, or an assembly with --assembly`,
    );
  }
  // A nested stack has its name from CloudFormation.
  const all = readAssembly(folder).filter(
    ({ name, parent, tasks }) => parent === undefined && (named.length > 0 ? named.includes(name) : tasks.length > 0),
  );
  if (all.length === 0 && named.length === 0) throw new Error(`${folder} has no stack with an OutflowTask`);
  const regions = new Set(all.flatMap(({ environment }) => environment?.region ?? []));
  if (regions.size > 1)
    throw new Error(`${folder} has stacks in ${[...regions].join(' and ')}; name those of one Region with --stack`);
  return {
    stackNames: named.length > 0 ? named : all.map(({ name }) => name),
    environment: all.find(({ environment }) => environment?.region !== undefined)?.environment,
  };
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

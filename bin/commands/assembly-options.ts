import { type Command, InvalidArgumentError } from 'commander';
import type { AssemblyOptions } from '../../localstack/one-process/assembly.ts';

/** The options of commands that read an assembly, by their names on the command line. */
export interface GivenAssemblyOptions {
  readonly stack?: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
}

/** Adds `--stack` and `--parameters` to a command. */
export function withAssemblyOptions(command: Command): Command {
  return command
    .option('--stack <name...>', 'only the tasks of these stacks (default: all)')
    .option(
      '--parameters <name=value>',
      'value of a CloudFormation parameter; for that of one stack, <stack>:<name>=<value>; repeatable',
      asParameter,
      {},
    );
}

export function assemblyOptions({ stack, parameters }: GivenAssemblyOptions): AssemblyOptions {
  return { stackNames: stack, parameters };
}

function asParameter(text: string, others: Readonly<Record<string, string>>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected <name>=<value>');
  return { ...others, [text.slice(0, at)]: text.slice(at + 1) };
}

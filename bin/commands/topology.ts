import { Command } from 'commander';
import { toMermaid, topologyOf } from '../../lambdas/core/topology.ts';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import { jsonText } from './printable.ts';
import { synthesize } from './synthesize.ts';

/** `outflow topology`: prints the routes of messages through the tasks of a CDK app. */
export function topologyCommand(): Command {
  return new Command('topology')
    .description('Print the routes of messages through the tasks of a CDK app, as a Mermaid flowchart')
    .argument(
      '[assembly]',
      'a synthesized cloud assembly, such as cdk.out; without it, the app in this folder is synthesized',
    )
    .option('--json', 'print nodes and edges as JSON')
    .action(async (given: string | undefined, options: { readonly json?: boolean }) => {
      const stacks = readAssembly(given ?? (await synthesizeHere()));
      if (stacks.every(({ tasks }) => tasks.length === 0)) throw new Error('the assembly has no OutflowTask');
      const topology = topologyOf(stacks);
      console.log(options.json ? jsonText(topology) : toMermaid(topology).trimEnd());
    });
}

// Standard output holds the diagram alone, so that it can be redirected to a file.
function synthesizeHere(): Promise<string> {
  console.error('Synthesizing the app in this folder …');
  return synthesize(process.cwd());
}

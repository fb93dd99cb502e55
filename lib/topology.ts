import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AspectPriority, Aspects, CfnResource, Stack, Stage } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { METADATA_KEY, type TemplateMetadata } from '../lambdas/core/metadata.ts';
import { type Feed, loopsOf } from '../lambdas/core/topic-loops.ts';
import { toMermaid, topologyOf } from '../lambdas/core/topology.ts';

/**
 * Writes the topology of a stack's tasks at synth, as `<stack>.outflow.mmd` next to the template, and refuses a loop, in which a
 * task receives its own messages again. Loops are found among the tasks of a stage that are deployed to one account and region.
 */
export function addTopology(scope: Construct): void {
  const stack = Stack.of(scope);
  if (written.has(stack)) return;
  written.add(stack);
  Aspects.of(stack).add(
    {
      visit(node) {
        if (node === stack) writeFileSync(topologyFile(stack), toMermaid(topologyOf([stackTasks(stack)])));
      },
    },
    { priority: AspectPriority.READONLY },
  );
  stack.node.addValidation({ validate: () => [...tooManyResources(stack), ...loopsFrom(stack).map(refusal)] });
}

const written = new WeakSet<Stack>();

function topologyFile(stack: Stack): string {
  return join(Stage.of(stack)!.outdir, stack.templateFile.replace(/(\.template)?\.json$/, '.outflow.mmd'));
}

function stackTasks(stack: Stack) {
  const metadata = stack.templateOptions.metadata?.[METADATA_KEY] as TemplateMetadata | undefined;
  return { name: stack.stackName, tasks: metadata?.tasks ?? [] };
}

/** AWS CloudFormation, "Quotas": resources of a template. */
const MAX_RESOURCES = 500;

function tooManyResources(stack: Stack): string[] {
  const resources = stack.node.findAll().filter((node) => CfnResource.isCfnResource(node) && Stack.of(node) === stack);
  if (resources.length <= MAX_RESOURCES) return [];
  const { tasks } = stackTasks(stack);
  const given = described(`${tasks.length} tasks in a stack of ${resources.length} resources`);
  const expected =
    `at most ${MAX_RESOURCES} resources, the limit of CloudFormation: divide the tasks among several stacks or nested stacks, ` +
    'or leave out alarms that nobody reads';
  return [new InvalidOptionError(stack.node.path, given, expected).message];
}

/** Loops that begin with a task of this stack. The stack of a loop's first task reports it. */
function loopsFrom(stack: Stack): Feed[][] {
  const stage = Stage.of(stack)!;
  const tasks = stage.node
    .findAll()
    .filter((node) => Stack.isStack(node))
    .filter((other) => Stage.of(other) === stage && other.environment === stack.environment)
    .flatMap((other) => stackTasks(other).tasks);
  const own = new Set(stackTasks(stack).tasks.map(({ path }) => path));
  return loopsOf(tasks).filter(([first]) => own.has(first!.from.path));
}

function refusal(loop: readonly Feed[]): string {
  const steps = loop.map(
    ({ from, writes, to, reads }) => `${from.path} publishes '${writes}', ${to.path} reads '${reads}'`,
  );
  const [{ from, writes }] = loop as [Feed];
  return new InvalidOptionError(
    `${from.path}.sink`,
    writes,
    `a topic whose messages do not return to the task (${steps.join('; ')})`,
  ).message;
}

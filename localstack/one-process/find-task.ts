import { type AssemblyOptions, readAssembly, readSpec } from './assembly.ts';
import { resolver } from './resolve.ts';

/**
 * Finds a task's spec and its function's environment in an assembly.
 *
 * @param name The task's name or path. @default - the only task
 * @throws when no task matches, or several do
 */
export function findTask(
  assembly: string,
  name: string | undefined,
  options?: AssemblyOptions,
): { spec: unknown; env: Record<string, string> } {
  const stacks = readAssembly(assembly, options);
  const all = stacks.flatMap((stack) => stack.tasks.map((metadata) => ({ stack, metadata })));
  const wanted = all.filter(({ metadata }) => name === undefined || metadata.task === name || metadata.path === name);
  const [found] = wanted;
  const names = all.map(({ metadata }) => metadata.path).join(', ') || 'none';
  if (found === undefined) throw new Error(`task: got ${name ?? 'none'}; expected a task of ${assembly}: ${names}`);
  if (wanted.length > 1)
    throw new Error(`task: got ${name ?? 'none'}, which matches ${wanted.length}; expected one of ${names}`);
  const { stack, metadata } = found;
  if (metadata.worker === undefined)
    throw new Error(`${metadata.task} has no worker: IoT Core delivers the payload unchanged`);
  const worker = stack.template.Resources![metadata.worker]!;
  const { Variables } = resolver(stack, stacks)(worker.Properties!['Environment']) as {
    Variables: Record<string, string>;
  };
  return { spec: readSpec(stack, worker), env: Variables };
}

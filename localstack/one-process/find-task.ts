import { readAssembly, readSpec } from './assembly.ts';
import { resolver } from './resolve.ts';

/** Finds a task's spec and its function's environment in an assembly. @throws when there is no such task, or several to choose from. */
export function findTask(assembly: string, name: string | undefined): { spec: unknown; env: Record<string, string> } {
  const stacks = readAssembly(assembly);
  const all = stacks.flatMap((stack) => stack.tasks.map((metadata) => ({ stack, metadata })));
  const wanted = all.filter(({ metadata }) => name === undefined || metadata.task === name || metadata.path === name);
  const [found] = wanted;
  const names = all.map(({ metadata }) => metadata.path).join(', ') || 'none';
  if (found === undefined) throw new Error(`no task ${name ?? ''} in ${assembly}; there: ${names}`);
  if (wanted.length > 1) throw new Error(`name one task; there: ${names}`);
  const { stack, metadata } = found;
  if (metadata.worker === undefined)
    throw new Error(`${metadata.task} has no worker: IoT Core delivers by itself, and nothing happens to the payload`);
  const worker = stack.template.Resources![metadata.worker]!;
  const { Variables } = resolver(stack, stacks)(worker.Properties!['Environment']) as {
    Variables: Record<string, string>;
  };
  return { spec: readSpec(stack, worker), env: Variables };
}

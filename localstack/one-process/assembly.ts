import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METADATA_KEY, type TaskMetadata, type TemplateMetadata } from '../../lambdas/core/metadata.ts';

/** A stack of a synthesized cloud assembly. */
export interface Stack {
  readonly name: string;
  readonly template: Template;
  readonly tasks: readonly TaskMetadata[];
  /** Folder of the stack's assets. */
  readonly folder: string;
}

export interface Template {
  readonly Resources?: Readonly<Record<string, Resource>>;
  readonly Parameters?: Readonly<Record<string, { readonly Default?: unknown }>>;
  readonly Outputs?: Readonly<
    Record<string, { readonly Value: unknown; readonly Export?: { readonly Name: unknown } }>
  >;
  readonly Metadata?: Readonly<Record<string, unknown>>;
}

export interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

interface Manifest {
  readonly artifacts?: Readonly<Record<string, { type: string; properties?: Record<string, string> }>>;
}

/** Reads the stacks of a cloud assembly, such as `cdk.out`, and of its nested assemblies. @throws when the folder is not an assembly. */
export function readAssembly(folder: string): Stack[] {
  const file = join(folder, 'manifest.json');
  if (!existsSync(file))
    throw new Error(`${folder} is not a cloud assembly: it has no manifest.json. Run \`cdk synth\` first`);
  const { artifacts = {} } = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  return Object.entries(artifacts).flatMap(([id, { type, properties = {} }]) => {
    if (type === 'cdk:cloud-assembly') return readAssembly(join(folder, properties['directoryName']!));
    if (type !== 'aws:cloudformation:stack') return [];
    const template = JSON.parse(readFileSync(join(folder, properties['templateFile']!), 'utf8')) as Template;
    const metadata = template.Metadata?.[METADATA_KEY] as TemplateMetadata | undefined;
    return [{ name: properties['stackName'] ?? id, template, tasks: metadata?.tasks ?? [], folder }];
  });
}

/** Reads a worker's task spec from its asset. */
export function readSpec(stack: Stack, worker: Resource): unknown {
  const { S3Key } = worker.Properties!['Code'] as { S3Key: string };
  return JSON.parse(readFileSync(join(stack.folder, `asset.${S3Key.replace(/\.zip$/, '')}`, 'spec.json'), 'utf8'));
}

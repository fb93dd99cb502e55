import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { METADATA_KEY, type TaskMetadata, type TemplateMetadata } from '../../lambdas/core/metadata.ts';

/** A stack of a synthesized cloud assembly. */
export interface Stack {
  readonly name: string;
  readonly template: Template;
  readonly tasks: readonly TaskMetadata[];
  /** Folder that holds the stack's assets. */
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

/** Reads the stacks of a cloud assembly (what `cdk synth` leaves in `cdk.out`), nested ones included. @throws when there is none. */
export function readAssembly(folder: string): Stack[] {
  const file = join(folder, 'manifest.json');
  if (!existsSync(file)) throw new Error(`${folder} holds no cloud assembly; \`cdk synth\` makes one`);
  const { artifacts = {} } = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  return Object.entries(artifacts).flatMap(([id, { type, properties = {} }]) => {
    if (type === 'cdk:cloud-assembly') return readAssembly(join(folder, properties['directoryName']!));
    if (type !== 'aws:cloudformation:stack') return [];
    const template = JSON.parse(readFileSync(join(folder, properties['templateFile']!), 'utf8')) as Template;
    const metadata = template.Metadata?.[METADATA_KEY] as TemplateMetadata | undefined;
    return [{ name: properties['stackName'] ?? id, template, tasks: metadata?.tasks ?? [], folder }];
  });
}

/** Reads the spec that a worker is deployed with, from beside its bundle. */
export function readSpec(stack: Stack, worker: Resource): unknown {
  const { S3Key } = worker.Properties!['Code'] as { S3Key: string };
  return JSON.parse(readFileSync(join(stack.folder, `asset.${S3Key.replace(/\.zip$/, '')}`, 'spec.json'), 'utf8'));
}

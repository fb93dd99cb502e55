import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { METADATA_KEY, type TaskMetadata, type TemplateMetadata } from '../../lambdas/core/metadata.ts';

/** A stack of a synthesized cloud assembly. */
export interface Stack {
  readonly name: string;
  /** Path of the stack's construct, such as `Prod/Plant`, by which the CDK command selects it. */
  readonly path?: string | undefined;
  readonly template: Template;
  readonly tasks: readonly TaskMetadata[];
  /** Where it is deployed to, as far as the app states it. */
  readonly environment?: { readonly account: string | undefined; readonly region: string | undefined };
  /** Folder of the stack's template. */
  readonly folder: string;
  /** For a nested stack: the stack that has it as a resource. */
  readonly parent?: { readonly stack: Stack; readonly logicalId: string };
  /** What is different from AWS in this process. A stack and its nested stacks share them, and reading adds to them. */
  readonly notes: Set<string>;
}

export interface AssemblyOptions {
  /** Names of the stacks to run, with their nested stacks. @default - all */
  readonly stackNames?: readonly string[] | undefined;
  /** Values of CloudFormation parameters by name, or by `<stack>:<name>`. @default - the parameters' defaults */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

export interface Template {
  readonly Resources?: Readonly<Record<string, Resource>>;
  readonly Parameters?: Readonly<Record<string, { Default?: unknown }>>;
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
  readonly artifacts?: Readonly<
    Record<string, { type: string; environment?: string; displayName?: string; properties?: Record<string, string> }>
  >;
}

/**
 * Reads the stacks of a cloud assembly, such as `cdk.out`, with those of its stages and nested stacks.
 *
 * @throws when the folder is not an assembly, or has no stack of a name
 */
export function readAssembly(folder: string, { stackNames, parameters = {} }: AssemblyOptions = {}): Stack[] {
  const all = stacksIn(folder, parameters);
  if (stackNames === undefined) return all;
  const names = all.filter(({ parent }) => parent === undefined).map(({ name }) => name);
  for (const name of stackNames) {
    if (!names.includes(name)) throw new Error(`--stack: got ${name}; expected one of ${names.join(', ')}`);
  }
  // The other stacks stay, because the chosen ones may refer to them, but nothing of them runs.
  return all.map((stack) => (stackNames.includes(rootOf(stack).name) ? stack : withoutTasks(stack)));
}

function withoutTasks(stack: Stack): Stack {
  const resources = Object.entries(stack.template.Resources ?? {});
  const Resources = Object.fromEntries(resources.filter(([, { Type }]) => Type !== 'AWS::IoT::TopicRule'));
  return { ...stack, tasks: [], template: { ...stack.template, Resources } };
}

function rootOf(stack: Stack): Stack {
  return stack.parent === undefined ? stack : rootOf(stack.parent.stack);
}

function stacksIn(folder: string, parameters: Readonly<Record<string, string>>): Stack[] {
  const file = join(folder, 'manifest.json');
  if (!existsSync(file))
    throw new Error(`${folder} is not a cloud assembly: it has no manifest.json. Run \`cdk synth\` first`);
  const { artifacts = {} } = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  return Object.entries(artifacts).flatMap(([id, { type, environment, displayName, properties = {} }]) => {
    if (type === 'cdk:cloud-assembly') return stacksIn(join(folder, properties['directoryName']!), parameters);
    if (type !== 'aws:cloudformation:stack') return [];
    const name = properties['stackName'] ?? id;
    const stack = {
      ...readTemplate(join(folder, properties['templateFile']!)),
      name,
      path: displayName,
      environment: readEnvironment(environment),
      folder,
      notes: new Set<string>(),
    };
    for (const [parameter, definition] of Object.entries(stack.template.Parameters ?? {})) {
      const value = parameters[`${name}:${parameter}`] ?? parameters[parameter];
      if (value !== undefined) definition.Default = value;
    }
    return withNested(stack, templateFiles(folder, id));
  });
}

/** @param files Files of nested templates, by their hash. */
function withNested(stack: Stack, files: ReadonlyMap<string, string>): Stack[] {
  const nested = Object.entries(stack.template.Resources ?? {}).flatMap(([logicalId, { Type, Properties }]) => {
    if (Type !== 'AWS::CloudFormation::Stack') return [];
    const [, hash] = /([0-9a-f]{64})\.json/.exec(JSON.stringify(Properties?.['TemplateURL'])) ?? [];
    const file = hash === undefined ? undefined : files.get(hash);
    if (file === undefined) return [];
    const { folder, notes } = stack;
    const name = `${stack.name}-${logicalId}`;
    return withNested(
      { ...readTemplate(join(folder, file)), name, folder, notes, parent: { stack, logicalId } },
      files,
    );
  });
  return [stack, ...nested];
}

/** Reads `aws://<account>/<region>`; an app without them has `unknown-account` and `unknown-region`. */
function readEnvironment(text = ''): NonNullable<Stack['environment']> {
  const [, account, region] = /^aws:\/\/([^/]+)\/([^/]+)$/.exec(text) ?? [];
  const known = (value: string | undefined) => (value?.startsWith('unknown-') ? undefined : value);
  return { account: known(account), region: known(region) };
}

/** Files of the assets of a stack, by their hash. */
function templateFiles(folder: string, id: string): ReadonlyMap<string, string> {
  const file = join(folder, `${id}.assets.json`);
  if (!existsSync(file)) return new Map();
  const { files = {} } = JSON.parse(readFileSync(file, 'utf8')) as {
    files?: Record<string, { source: { path?: string } }>;
  };
  return new Map(Object.entries(files).flatMap(([hash, { source }]) => (source.path ? [[hash, source.path]] : [])));
}

function readTemplate(file: string): Pick<Stack, 'template' | 'tasks'> {
  const template = JSON.parse(readFileSync(file, 'utf8')) as Template;
  const metadata = template.Metadata?.[METADATA_KEY] as TemplateMetadata | undefined;
  return { template, tasks: metadata?.tasks ?? [] };
}

/** Reads a worker's task spec from its asset. */
export function readSpec(stack: Stack, worker: Resource): unknown {
  const { S3Key } = worker.Properties!['Code'] as { S3Key: string };
  const asset = join(`asset.${S3Key.replace(/\.zip$/, '')}`, 'spec.json');
  // The assembly of a stage has its assets in the folder above.
  const folder = existsSync(join(stack.folder, asset)) ? stack.folder : dirname(stack.folder);
  return JSON.parse(readFileSync(join(folder, asset), 'utf8'));
}

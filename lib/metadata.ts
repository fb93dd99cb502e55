import { createHash } from 'node:crypto';
import { type CfnElement, Stack } from 'aws-cdk-lib';
import type { Construct, IConstruct } from 'constructs';
import { InvalidOptionError } from '../lambdas/core/errors.ts';
import { METADATA_KEY, METADATA_VERSION, type TaskMetadata, type TemplateMetadata } from '../lambdas/core/metadata.ts';
import { type Origin, rulesOf } from './source/origin.ts';

/** Tag of a task's resources; its value is the task's name. */
export const TASK_TAG = 'outflow:task';

/** The constructs of a task that the metadata lists. */
export interface TaskParts {
  readonly origins: readonly Origin[];
  readonly description?: string | undefined;
  /** Templates of the AWS IoT Core topics that the sink publishes to. */
  readonly writesTo?: readonly string[] | undefined;
  readonly queue: IConstruct | undefined;
  readonly retryQueue: IConstruct | undefined;
  readonly stream: IConstruct | undefined;
  readonly deadLetterQueue: IConstruct;
  readonly worker?: IConstruct;
  readonly mappings?: readonly IConstruct[];
  readonly state?: IConstruct;
  readonly enabled?: boolean;
  readonly control?: { readonly queue: IConstruct; readonly function: IConstruct };
}

/**
 * Lists the task in the metadata of its template, which the `outflow` command, the local runner and the topology read.
 *
 * @throws InvalidOptionError for the name of another task of the stack: metrics, alarms and control identify a task by its name.
 */
export function addTaskMetadata(
  scope: Construct,
  spec: { task: string; sink: { type: string }; logLevel?: string },
  parts: TaskParts,
): void {
  const stack = Stack.of(scope);
  const { metadata = {} } = stack.templateOptions;
  const known = (metadata[METADATA_KEY] ?? { v: METADATA_VERSION, tasks: [] }) as TemplateMetadata;
  const namesake = known.tasks.find(({ task }) => task === spec.task);
  if (namesake !== undefined)
    throw new InvalidOptionError(
      `${scope.node.path}.taskName`,
      spec.task,
      `a name that no other task of the stack has; it is the name of ${namesake.path} (by default, the name is the construct's id)`,
    );
  const byRules = parts.origins.filter(({ rule }) => rule !== undefined);
  const byFunctions = parts.origins.flatMap(({ function: fn, topicFilters: filters }) => {
    const id = logicalId(stack, fn);
    return id === undefined ? [] : { function: id, filters };
  });
  const task: TaskMetadata = {
    task: spec.task,
    ...optional('description', parts.description),
    path: scope.node.path,
    sink: spec.sink.type,
    filters: byRules.flatMap(({ topicFilters }) => topicFilters),
    ...(parts.writesTo !== undefined && { writesTo: parts.writesTo }),
    ...optional('logLevel', spec.logLevel === 'info' ? undefined : spec.logLevel),
    specHash: createHash('sha256').update(JSON.stringify(spec)).digest('hex'),
    rules: rulesOf(parts.origins).map((rule) => logicalId(stack, rule)!),
    ...(byFunctions.length > 0 && { functions: byFunctions }),
    ...optional('queue', logicalId(stack, parts.queue)),
    ...optional('retryQueue', logicalId(stack, parts.retryQueue)),
    ...optional('stream', logicalId(stack, parts.stream)),
    ...optional('deadLetterQueue', logicalId(stack, parts.deadLetterQueue)),
    ...optional('worker', logicalId(stack, parts.worker)),
    mappings: (parts.mappings ?? []).map((mapping) => logicalId(stack, mapping)!),
    ...(parts.enabled === false && { enabled: false }),
    ...optional('state', logicalId(stack, parts.state)),
    ...optional('controlQueue', logicalId(stack, parts.control?.queue)),
    ...optional('controlFunction', logicalId(stack, parts.control?.function)),
  };
  stack.templateOptions.metadata = { ...metadata, [METADATA_KEY]: { ...known, tasks: [...known.tasks, task] } };
}

/** The logical id of a part in the stack's template; undefined for a part of another stack. */
export function logicalId(stack: Stack, part: IConstruct | undefined): string | undefined {
  const element = part?.node.defaultChild ?? part;
  return element !== undefined && 'logicalId' in element && Stack.of(element) === stack
    ? stack.resolve((element as CfnElement).logicalId)
    : undefined;
}

function optional<Key extends string>(key: Key, value: string | undefined): { [K in Key]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]?: string });
}

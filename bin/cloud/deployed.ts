import {
  type CloudFormationClient,
  GetTemplateCommand,
  paginateListStackResources,
} from '@aws-sdk/client-cloudformation';
import { show } from '../../lambdas/core/errors.ts';
import {
  METADATA_KEY,
  METADATA_VERSION,
  type TaskMetadata,
  type TemplateMetadata,
} from '../../lambdas/core/metadata.ts';

/** A task as its stack's template lists it, with the physical ids of its deployed parts. */
export interface DeployedTask {
  readonly stack: string;
  readonly metadata: TaskMetadata;
  /** Physical id of a part. @throws if it is not deployed. */
  idOf(logicalId: string): string;
}

/** A deployed stack that may have tasks. */
export interface DeployedStack {
  readonly name: string;
  readonly tasks: readonly DeployedTask[];
  /** Physical ids of all resources; that of a queue is its URL. */
  readonly physicalIds: ReadonlySet<string>;
}

/** What the stack no longer has, and CloudFormation still lists: it was deleted, or kept when the template dropped it. */
const GONE: ReadonlySet<string | undefined> = new Set(['DELETE_COMPLETE', 'DELETE_SKIPPED']);

/**
 * Reads a deployed stack and its tasks.
 *
 * @returns undefined if there is no such stack.
 * @throws any other error of CloudFormation.
 */
export async function readDeployedStack(
  client: CloudFormationClient,
  stack: string,
): Promise<DeployedStack | undefined> {
  let body: string | undefined;
  try {
    ({ TemplateBody: body } = await client.send(new GetTemplateCommand({ StackName: stack })));
  } catch (error) {
    if ((error as Error).name === 'ValidationError') return undefined;
    throw error;
  }
  const metadata = readMetadata(stack, body ?? '');
  const ids = new Map<string, string>();
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName: stack }))
    for (const { LogicalResourceId, PhysicalResourceId, ResourceStatus } of StackResourceSummaries)
      if (PhysicalResourceId !== undefined && !GONE.has(ResourceStatus))
        ids.set(LogicalResourceId!, PhysicalResourceId);
  const tasks = metadata.map((task) => ({
    stack,
    metadata: task,
    idOf(logicalId: string) {
      const id = ids.get(logicalId);
      if (id === undefined)
        throw new Error(`${stack}: ${logicalId} is in the template, but not deployed; deploy the stack again`);
      return id;
    },
  }));
  return { name: stack, tasks, physicalIds: new Set(ids.values()) };
}

function readMetadata(stack: string, templateBody: string): readonly TaskMetadata[] {
  let template: { Metadata?: Record<string, unknown> };
  try {
    template = JSON.parse(templateBody);
  } catch {
    return []; // CDK writes JSON, so this template has no tasks.
  }
  const metadata = template.Metadata?.[METADATA_KEY] as TemplateMetadata | undefined;
  if (metadata === undefined) return [];
  if (metadata.v !== METADATA_VERSION)
    throw new Error(
      `${stack}: metadata ${METADATA_KEY}.v is ${show(metadata.v)}; expected ${METADATA_VERSION}: use the version of \`outflow\` that deployed the stack`,
    );
  return metadata.tasks;
}

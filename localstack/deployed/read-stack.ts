import {
  type CloudFormationClient,
  GetTemplateCommand,
  paginateListStackResources,
} from '@aws-sdk/client-cloudformation';
import { METADATA_KEY, type TemplateMetadata } from '../../lambdas/core/metadata.ts';
import type { Stack, Template } from '../one-process/assembly.ts';
import type { Identify } from '../one-process/resolve.ts';
import type { Environment } from './cdk.ts';

/** Deployed stacks: their templates, and the physical names of their resources. */
export interface DeployedStacks {
  /** The named stacks, with their nested stacks. A nested stack has its id as its name. */
  readonly stacks: readonly Stack[];
  readonly identify: Identify;
}

/** Reads deployed stacks by their names. @throws CloudFormation's error when one does not exist. */
export async function readDeployedStacks(
  client: CloudFormationClient,
  names: readonly string[],
  { account, region }: Environment,
): Promise<DeployedStacks> {
  const stacks: Stack[] = [];
  const idsOfStack = new Map<string, ReadonlyMap<string, string>>();

  async function read(name: string, parent?: Stack['parent']): Promise<void> {
    const { TemplateBody } = await client.send(new GetTemplateCommand({ StackName: name }));
    const template = JSON.parse(TemplateBody!) as Template;
    const metadata = template.Metadata?.[METADATA_KEY] as TemplateMetadata | undefined;
    const stack = { name, template, tasks: metadata?.tasks ?? [], folder: '', notes: new Set<string>() };
    stacks.push(parent === undefined ? stack : { ...stack, parent });
    const ids = new Map<string, string>();
    idsOfStack.set(name, ids);
    for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName: name })) {
      for (const { LogicalResourceId: logicalId, PhysicalResourceId: id, ResourceType } of StackResourceSummaries) {
        if (logicalId === undefined || id === undefined) continue;
        ids.set(logicalId, id);
        if (ResourceType === 'AWS::CloudFormation::Stack' && template.Resources?.[logicalId] !== undefined)
          await read(id, { stack, logicalId });
      }
    }
  }

  for (const name of names) await read(name);
  return {
    stacks,
    identify(stack, logicalId, resource) {
      const ref = idsOfStack.get(stack)?.get(logicalId);
      if (ref === undefined || resource === undefined) throw new Error(`${stack}: ${logicalId} is not deployed`);
      const id = ref.split('/').at(-1)!;
      return {
        name: id,
        ref,
        arn: `arn:aws:${resource.Type.split('::')[1]!.toLowerCase()}:${region}:${account}:${id}`,
      };
    },
  };
}

import {
  type CloudFormationClient,
  DescribeStackResourcesCommand,
  GetTemplateCommand,
} from '@aws-sdk/client-cloudformation';
import { METADATA_KEY, type TemplateMetadata } from '../../lambdas/core/metadata.ts';
import type { Stack, Template } from '../one-process/assembly.ts';
import { ACCOUNT, type Identify, REGION } from '../one-process/resolve.ts';

/** A deployed stack: its template and the physical names of its resources. */
export interface DeployedStack {
  readonly stack: Stack;
  readonly identify: Identify;
}

/** Reads a deployed stack by its name. @throws CloudFormation's error when it does not exist. */
export async function readDeployedStack(client: CloudFormationClient, name: string): Promise<DeployedStack> {
  const { TemplateBody } = await client.send(new GetTemplateCommand({ StackName: name }));
  const { StackResources = [] } = await client.send(new DescribeStackResourcesCommand({ StackName: name }));
  const template = JSON.parse(TemplateBody!) as Template;
  const metadata = template.Metadata?.[METADATA_KEY] as TemplateMetadata | undefined;
  const physicalIds = new Map(
    StackResources.map(({ LogicalResourceId, PhysicalResourceId }) => [LogicalResourceId, PhysicalResourceId]),
  );
  return {
    stack: { name, template, tasks: metadata?.tasks ?? [], folder: '', notes: new Set() },
    identify(stack, logicalId, resource) {
      const ref = physicalIds.get(logicalId);
      if (ref === undefined || resource === undefined) throw new Error(`${stack}: ${logicalId} is not deployed`);
      const id = ref.split('/').at(-1)!;
      return {
        name: id,
        ref,
        arn: `arn:aws:${resource.Type.split('::')[1]!.toLowerCase()}:${REGION}:${ACCOUNT}:${id}`,
      };
    },
  };
}

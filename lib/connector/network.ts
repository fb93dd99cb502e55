import { Annotations, Stack } from 'aws-cdk-lib';
import {
  CfnVPCEndpoint,
  type ISecurityGroup,
  type IVpc,
  SecurityGroup,
  type SelectedSubnets,
  type SubnetSelection,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import { listOf, OBJECT, type OptionTypes, SECURITY_GROUP, VPC } from '../props.ts';

/** Where a worker has its network interfaces, and the AWS services that it calls from there. */
export interface WorkerNetwork {
  readonly vpc: IVpc;
  readonly vpcSubnets?: SubnetSelection | undefined;
  readonly securityGroups: readonly ISecurityGroup[];
  /** AWS services that the connector needs, by their endpoint names, such as `secretsmanager`. */
  readonly services: readonly string[];
}

/** Where a connector's workers have their network interfaces. */
export interface NetworkProps {
  /**
   * VPC in which the workers have their network interfaces.
   *
   * @default - none: the workers reach the servers over the internet
   */
  readonly vpc?: IVpc;
  /**
   * Subnets of the VPC. They need a NAT, or interface endpoints for SQS and, with secrets, Secrets Manager.
   *
   * @default - private subnets
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * Security groups of the workers.
   *
   * @default - one for all workers of the connector; see `connections`
   */
  readonly securityGroups?: readonly ISecurityGroup[];
}

export const NETWORK_OPTIONS: OptionTypes<NetworkProps> = {
  vpc: VPC,
  vpcSubnets: OBJECT,
  securityGroups: listOf(SECURITY_GROUP),
};

/** The network of a connector's workers; undefined without a VPC. @throws InvalidOptionError for an option that needs a VPC. */
export function connectorNetwork(
  connector: Construct,
  id: string,
  { vpc, vpcSubnets, securityGroups }: NetworkProps,
  hasSecrets: boolean,
): WorkerNetwork | undefined {
  if (vpc === undefined) {
    for (const [name, given] of Object.entries({ vpcSubnets, securityGroups }))
      if (given !== undefined) throw new InvalidOptionError(`${id}.${name}`, described('a value'), 'vpc with it');
    return undefined;
  }
  const description = `Workers of the Outflow connector ${connector.node.id}`;
  return {
    vpc,
    vpcSubnets,
    securityGroups: securityGroups ?? [new SecurityGroup(connector, 'Workers', { vpc, description })],
    services: hasSecrets ? ['secretsmanager'] : [],
  };
}

/**
 * Checks at synth that a worker in a VPC reaches the AWS services that it needs. The network interface of a function has no public
 * address, so that each service needs a NAT or an interface endpoint (AWS Lambda, "Giving Lambda functions access to resources in an
 * Amazon VPC"). For an imported VPC, whose endpoints are unknown, synth warns instead.
 *
 * @param more Services that the task needs in addition to the connector's.
 * @throws InvalidOptionError at synth, for isolated subnets of a VPC that lacks an endpoint.
 */
export function checkNetwork(scope: Construct, option: string, network: WorkerNetwork, more: readonly string[]): void {
  const { vpc, vpcSubnets } = network;
  const services = [...new Set([...network.services, ...more])].sort();
  const chosen: SelectedSubnets = vpc.selectSubnets(vpcSubnets);
  if (!(vpc instanceof Vpc)) {
    Annotations.of(scope).addWarningV2(
      'mqtt-outflow:network',
      `${option}: ${vpc.node.path} is an imported VPC; its subnets need a NAT, or endpoints for ${services.join(', ')}`,
    );
    return;
  }
  const withoutNat = new Set(vpc.isolatedSubnets.map(({ subnetId }) => subnetId));
  if (!chosen.subnetIds.some((id) => withoutNat.has(id))) return;
  // The check waits for synth, because the app may add endpoints to the VPC after the task.
  scope.node.addValidation({
    validate() {
      const missing = services.filter((service) => !hasEndpoint(vpc, service));
      if (missing.length === 0) return [];
      const expected = `subnets with a NAT, or interface endpoints in the VPC for ${missing.join(', ')}`;
      return [new InvalidOptionError(option, described('isolated subnets'), expected).message];
    },
  });
}

function hasEndpoint(vpc: IVpc, service: string): boolean {
  const stack = Stack.of(vpc);
  const vpcId = JSON.stringify(stack.resolve(vpc.vpcId));
  return vpc.node.root.node.findAll().some((construct) => {
    if (!(construct instanceof CfnVPCEndpoint)) return false;
    const isInVpc = Stack.of(construct) !== stack || JSON.stringify(stack.resolve(construct.vpcId)) === vpcId;
    return isInVpc && JSON.stringify(stack.resolve(construct.serviceName)).includes(`.${service}"`);
  });
}

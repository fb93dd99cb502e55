import { Annotations, Stack } from 'aws-cdk-lib';
import {
  CfnVPCEndpoint,
  type ISecurityGroup,
  type IVpc,
  type SelectedSubnets,
  type SubnetSelection,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';

/** Where a worker has its network interfaces, and what it calls from there beside its target. */
export interface WorkerNetwork {
  readonly vpc: IVpc;
  readonly vpcSubnets?: SubnetSelection | undefined;
  readonly securityGroups: readonly ISecurityGroup[];
  /** AWS services by the names that their endpoints have, such as `secretsmanager`. */
  readonly services: readonly string[];
}

/**
 * Checks, when the app is synthesized, that a worker in a VPC reaches the services that it cannot do without: an interface
 * has no public address, so it takes a NAT or an endpoint for each. Of a VPC that the app did not make neither is known: then a warning says so.
 *
 * @throws InvalidOptionError at synth, for isolated subnets of a VPC of this app that lacks an endpoint.
 */
export function checkNetwork(scope: Construct, option: string, network: WorkerNetwork, more: readonly string[]): void {
  const { vpc, vpcSubnets } = network;
  const services = [...new Set([...network.services, ...more])].sort();
  const chosen: SelectedSubnets = vpc.selectSubnets(vpcSubnets);
  if (!(vpc instanceof Vpc)) {
    Annotations.of(scope).addWarningV2(
      'mqtt-outflow:network',
      `${option}: ${vpc.node.path} was made elsewhere; its subnets need a NAT, or endpoints for ${services.join(', ')}`,
    );
    return;
  }
  const isolated = new Set(vpc.isolatedSubnets.map(({ subnetId }) => subnetId));
  if (!chosen.subnetIds.some((id) => isolated.has(id))) return;
  // Endpoints may be added to the VPC after the task.
  scope.node.addValidation({
    validate() {
      const missing = services.filter((service) => !hasEndpoint(vpc, service));
      if (missing.length === 0) return [];
      const wanted = `subnets with a NAT, or interface endpoints in the VPC for ${missing.join(', ')}`;
      return [new InvalidOptionError(option, described('isolated subnets'), wanted).message];
    },
  });
}

function hasEndpoint(vpc: IVpc, service: string): boolean {
  const stack = Stack.of(vpc);
  const vpcId = JSON.stringify(stack.resolve(vpc.vpcId));
  return vpc.node.root.node.findAll().some((construct) => {
    if (!(construct instanceof CfnVPCEndpoint)) return false;
    const isHere = Stack.of(construct) !== stack || JSON.stringify(stack.resolve(construct.vpcId)) === vpcId;
    return isHere && JSON.stringify(stack.resolve(construct.serviceName)).includes(`.${service}"`);
  });
}

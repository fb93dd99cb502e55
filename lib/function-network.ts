import { Validations } from 'aws-cdk-lib';
import { Effect, type IRole, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { FunctionOptions, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { WorkerNetwork } from './connector/network.ts';

const INTERFACE_ACTIONS = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

/** The properties that give a function network interfaces in a VPC; none without a network. */
export function inNetwork(
  network: WorkerNetwork | undefined,
): Pick<FunctionOptions, 'vpc' | 'vpcSubnets' | 'securityGroups'> {
  if (network === undefined) return {};
  return {
    vpc: network.vpc,
    ...(network.vpcSubnets && { vpcSubnets: network.vpcSubnets }),
    securityGroups: [...network.securityGroups],
  };
}

/** Allows AWS Lambda to make the network interfaces of a function with this role. */
export function grantInterfaces(role: IRole): void {
  if (role.node.tryFindChild('Interfaces') !== undefined) return;
  // A child of the role, so that the function depends on it.
  const policy = new Policy(role, 'Interfaces', {
    statements: [new PolicyStatement({ actions: INTERFACE_ACTIONS, resources: ['*'] })],
    roles: [role],
  });
  Validations.of(policy).acknowledge({
    id: 'AwsSolutions::AwsSolutions-IAM5[Resource::*]',
    reason:
      'AWS Lambda requires these actions on all network interfaces (AWS Lambda, "Giving Lambda functions access to resources in an Amazon VPC").',
  });
}

/**
 * AWS Lambda makes the network interfaces with the function's role. The function's code itself needs none of these actions (AWS
 * Lambda, "Giving Lambda functions access to resources in an Amazon VPC": best practices).
 */
export function denyInterfaces(scope: Construct, role: IRole, { functionArn }: LambdaFunction): void {
  // No child of the role: it refers to the function, which depends on the role.
  new Policy(scope, 'NoInterfaces', {
    statements: [
      new PolicyStatement({
        effect: Effect.DENY,
        actions: INTERFACE_ACTIONS,
        resources: ['*'],
        conditions: { ArnEquals: { 'lambda:SourceFunctionArn': functionArn } },
      }),
    ],
    roles: [role],
  });
}

import { Stack } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { Construct } from 'constructs';

/** The role that a task's rules act with. Only rules of this account and region can take it (cross-service confused deputy). */
export function ruleRole(scope: Construct): Role {
  const stack = Stack.of(scope);
  return new Role(scope, 'RuleRole', {
    assumedBy: new ServicePrincipal('iot.amazonaws.com', {
      conditions: {
        StringEquals: { 'aws:SourceAccount': stack.account },
        // CloudFormation names the rules only after the role exists.
        ArnLike: { 'aws:SourceArn': stack.formatArn({ service: 'iot', resource: 'rule', resourceName: '*' }) },
      },
    }),
  });
}

/** A rule's ARN by its name, which every emulator of CloudFormation gives too. */
export function ruleArn(rule: CfnTopicRule): string {
  return Stack.of(rule).formatArn({ service: 'iot', resource: 'rule', resourceName: rule.ref });
}

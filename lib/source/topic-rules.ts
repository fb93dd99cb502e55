import { Stack } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { Construct } from 'constructs';
import { sendToQueue } from '../buffer/inlet.ts';
import { grantSend } from '../buffer/queue-grants.ts';
import type { Origin } from './origin.ts';
import { SQL_VERSION, type TopicRule } from './rule-sql.ts';
import type { SourceBinding } from './source.ts';

/** Makes topic rules that write to the inlet, in the order given, and the role that they act with. */
export function addTopicRules(
  scope: Construct,
  { inlet, deadLetterQueue, description }: SourceBinding,
  rules: readonly TopicRule[],
): Origin[] {
  if (rules.length === 0) return [];
  const role = ruleRole(scope);
  grantSend(deadLetterQueue, role);
  const writes = inlet.forRules(role);
  return rules.map(({ eventType, topicFilter, from }, i) => {
    const { select, action } = writes(eventType);
    const rule = new CfnTopicRule(scope, i === 0 ? 'Rule' : `Rule${i + 1}`, {
      topicRulePayload: {
        description,
        sql: `${select} ${from}`,
        awsIotSqlVersion: SQL_VERSION,
        actions: [action],
        errorAction: sendToQueue(deadLetterQueue, role),
      },
    });
    // A rule that must not write yet would lose what is published meanwhile.
    rule.node.addDependency(role);
    const arn = ruleArn(rule);
    const actions = ['iot:EnableTopicRule', 'iot:DisableTopicRule'];
    return { topicFilters: [topicFilter], arn, rule, intake: { list: 'rules', name: rule.ref, arn, actions } };
  });
}

/** The role of a task's rules. Only rules of this account and region can assume it (cross-service confused deputy). */
function ruleRole(scope: Construct): Role {
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

/** The ARN is put together from the name, because every CloudFormation emulator returns a rule's name. */
function ruleArn(rule: CfnTopicRule): string {
  return Stack.of(rule).formatArn({ service: 'iot', resource: 'rule', resourceName: rule.ref });
}

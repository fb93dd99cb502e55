import { createHash } from 'node:crypto';
import { Stack } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { Construct } from 'constructs';
import { sendToQueue } from '../buffer/inlet.ts';
import { grantSend } from '../buffer/queue-grants.ts';
import type { Origin } from './origin.ts';
import { SQL_VERSION, type TopicRule } from './rule-sql.ts';
import type { SourceBinding } from './source.ts';

/**
 * Makes topic rules that write to the inlet, in the order given, and the role that they act with. A rule's logical id is made from
 * its topic filter, so that a change of one filter leaves the other rules unchanged.
 */
export function addTopicRules(
  scope: Construct,
  { inlet, deadLetterQueue, description }: SourceBinding,
  rules: readonly TopicRule[],
): Origin[] {
  if (rules.length === 0) return [];
  const role = ruleRole(scope);
  grantSend(deadLetterQueue, role);
  const writes = inlet.forRules(role);
  const made = new Map<string, CfnTopicRule>();
  const origins = rules.map(({ eventType, topicFilter, from }): Origin => {
    const { select, action } = writes(eventType);
    const rule = new CfnTopicRule(scope, ruleId(eventType, topicFilter), {
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
    made.set(topicFilter, rule);
    const arn = ruleArn(rule);
    const actions = ['iot:EnableTopicRule', 'iot:DisableTopicRule'];
    return { topicFilters: [topicFilter], arn, rule, intake: { list: 'rules', name: rule.ref, arn, actions } };
  });
  // CloudFormation makes the rule that takes a topic before another rule excludes the topic: no message is missed meanwhile.
  for (const { topicFilter, excludes = [] } of rules)
    for (const other of excludes) made.get(topicFilter)!.addDependency(made.get(other)!);
  return origins;
}

function ruleId(eventType: string, topicFilter: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([eventType, topicFilter]))
    .digest('hex');
  return `Rule${hash.slice(0, 8).toUpperCase()}`;
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

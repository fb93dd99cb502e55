import { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { Construct } from 'constructs';
import { SQL_VERSION } from './rule-sql.ts';
import type { SourceTarget } from './source.ts';

/** A rule for messages of a kind. */
export interface RuleOf {
  readonly kind: string;
  /** FROM clause, and WHERE where there is one. */
  readonly from: string;
}

/** Makes rules, in the order given. */
export function addRules(
  scope: Construct,
  { select, action, errorAction, description }: SourceTarget,
  rules: readonly RuleOf[],
): CfnTopicRule[] {
  return rules.map(({ kind, from }, i) => {
    return new CfnTopicRule(scope, i === 0 ? 'Rule' : `Rule${i + 1}`, {
      topicRulePayload: {
        description,
        sql: `${select(kind)} ${from}`,
        awsIotSqlVersion: SQL_VERSION,
        actions: [action(kind)],
        errorAction,
      },
    });
  });
}

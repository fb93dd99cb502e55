import { Stack, Token } from 'aws-cdk-lib';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { ruleArn } from './rule-role.ts';

/**
 * What names of rules may take of a function's environment and of a parameter. Each holds 4 KB (AWS Lambda, "Quotas";
 * Systems Manager, "Parameter tiers"), and has to hold addresses besides.
 */
const NAMES_BYTES = 2_800;
/** CloudFormation names a rule `<stack>_<logical id>_<12 characters>`; with what separates it from the next. */
const AROUND_LOGICAL_ID = 17;
/** AWS IoT Core, "CreateTopicRule": ruleName. */
const NAME_AT_MOST = 128;
/** A nested stack gets its name when it is deployed. */
const NESTED_STACK_NAME = 100;

/**
 * The ARNs of a task's rules for its worker, as `readRuleArns` reads them.
 *
 * @throws InvalidOptionError for so many rules that the worker could not be deployed.
 */
export function ruleArns(option: string, rules: readonly CfnTopicRule[]): string {
  const bytes = rules.reduce((sum, rule) => sum + nameBytes(rule), 0);
  if (bytes > NAMES_BYTES) {
    const atMost = Math.floor((rules.length * NAMES_BYTES) / bytes);
    throw new InvalidOptionError(
      option,
      described(`${rules.length} rules, one for each filter`),
      `at most ${atMost} in one task: their names have to fit in 4 KB; share the filters out among several tasks`,
    );
  }
  const [first, ...others] = rules;
  return [...(first === undefined ? [] : [ruleArn(first)]), ...others.map(({ ref }) => ref)].join(',');
}

function nameBytes(rule: CfnTopicRule): number {
  const stack = Stack.of(rule);
  const stackName = Token.isUnresolved(stack.stackName) ? NESTED_STACK_NAME : stack.stackName.length;
  const logicalId: string = stack.resolve(rule.logicalId);
  return Math.min(stackName + logicalId.length + AROUND_LOGICAL_ID, NAME_AT_MOST);
}

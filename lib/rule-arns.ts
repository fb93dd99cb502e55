import { Stack, Token } from 'aws-cdk-lib';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import type { Origin } from './source/origin.ts';

/**
 * Bytes that the names of rules may take of a function's environment and of a parameter. Each holds 4 KB (AWS Lambda, "Quotas";
 * Systems Manager, "Parameter tiers"), and also holds addresses.
 */
const NAMES_BYTES = 2_800;
/** CloudFormation names a rule `<stack>_<logical id>_<12 characters>`; a comma separates it from the next. */
const AROUND_LOGICAL_ID = 17;
/** AWS IoT Core, "CreateTopicRule": ruleName. */
const MAX_NAME = 128;
/** A nested stack gets its name when it is deployed. */
const NESTED_STACK_NAME = 100;
/** AWS Lambda, "CreateFunction": FunctionArn. */
const FUNCTION_ARN_BYTES = 140;

/**
 * The value of RULE_ARNS, as `readRuleArns` reads it.
 *
 * @throws InvalidOptionError for more origins than fit in the worker's environment.
 */
export function ruleArns(option: string, origins: readonly Origin[]): string {
  const bytes = origins.reduce((sum, origin) => sum + bytesOf(origin), 0);
  if (bytes > NAMES_BYTES) {
    const atMost = Math.floor((origins.length * NAMES_BYTES) / bytes);
    throw new InvalidOptionError(
      option,
      described(`${origins.length} rules, one for each filter`),
      `at most ${atMost} in one task, because their names have to fit in 4 KB; divide the filters among several tasks`,
    );
  }
  const first = origins.find(({ rule }) => rule !== undefined);
  return origins
    .flatMap((origin) => {
      const { arn, rule, topicFilters } = origin;
      const entry = rule === undefined || origin === first ? arn : rule.ref;
      return topicFilters.map((_, i) => (i === 0 ? entry : ''));
    })
    .join(',');
}

function bytesOf({ rule, topicFilters }: Origin): number {
  return (rule === undefined ? FUNCTION_ARN_BYTES : nameBytes(rule)) + topicFilters.length - 1;
}

function nameBytes(rule: CfnTopicRule): number {
  const stack = Stack.of(rule);
  const stackName = Token.isUnresolved(stack.stackName) ? NESTED_STACK_NAME : stack.stackName.length;
  const logicalId: string = stack.resolve(rule.logicalId);
  return Math.min(stackName + logicalId.length + AROUND_LOGICAL_ID, MAX_NAME);
}

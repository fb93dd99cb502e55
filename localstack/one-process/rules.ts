import type { RuleAction, TopicRule } from '../iot-core/rules/topic-rule.ts';
import type { Stack } from './assembly.ts';
import { type Identify, identity, resolver } from './resolve.ts';

/** The topic rules that the templates declare. @throws for an action that the stand-in cannot run. */
export function declaredRules(stacks: readonly Stack[], identify: Identify = identity): TopicRule[] {
  return stacks.flatMap((stack) => {
    const resolve = resolver(stack, stacks, identify);
    return Object.entries(stack.template.Resources ?? {})
      .filter(([, { Type }]) => Type === 'AWS::IoT::TopicRule')
      .map(([logicalId, resource]): TopicRule => {
        const { name } = identify(stack.name, logicalId, resource);
        const payload = resolve(resource.Properties!['TopicRulePayload']) as TopicRulePayload;
        return {
          name,
          sql: payload.Sql,
          actions: payload.Actions.map((action) => toAction(name, action)),
          ...(payload.ErrorAction && { errorAction: toAction(name, payload.ErrorAction) }),
          ...(payload.RuleDisabled !== undefined && { disabled: payload.RuleDisabled }),
        };
      });
  });
}

interface TopicRulePayload {
  readonly Sql: string;
  readonly Actions: readonly Action[];
  readonly ErrorAction?: Action;
  readonly RuleDisabled?: boolean;
}

interface Action {
  readonly Sqs?: { readonly QueueUrl: string; readonly UseBase64?: boolean };
  readonly Kinesis?: { readonly StreamName: string; readonly PartitionKey?: string };
}

function toAction(rule: string, { Sqs, Kinesis, ...others }: Action): RuleAction {
  if (Sqs !== undefined) return { type: 'sqs', queueUrl: Sqs.QueueUrl, useBase64: Sqs.UseBase64 === true };
  // AWS::IoT::TopicRule KinesisAction: without a partition key each message gets one of its own.
  if (Kinesis !== undefined)
    return { type: 'kinesis', streamName: Kinesis.StreamName, partitionKey: Kinesis.PartitionKey ?? '${newuuid()}' };
  throw new Error(`rule ${rule}: the action ${Object.keys(others).join(', ')} does not run outside of AWS`);
}

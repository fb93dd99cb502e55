import * as z from 'zod';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import type { RuleAction, TopicRule } from '../iot-core/rules/topic-rule.ts';
import type { Stack } from './assembly.ts';
import { type EmulatedType, readProperties } from './properties.ts';
import { type Identify, identity, resolver } from './resolve.ts';

/** Reads the topic rules of the templates. @throws InvalidOptionError for options that the stand-in does not support. */
export function declaredRules(stacks: readonly Stack[], identify: Identify = identity): TopicRule[] {
  return stacks.flatMap((stack) => {
    const resolve = resolver(stack, stacks, identify);
    return Object.entries(stack.template.Resources ?? {})
      .filter(([, { Type }]) => Type === 'AWS::IoT::TopicRule')
      .map(([logicalId, resource]): TopicRule => {
        const { name } = identify(stack.name, logicalId, resource);
        const { TopicRulePayload: payload } = readProperties(
          `${stack.name}.${logicalId}`,
          resource,
          resolve,
          TOPIC_RULE,
        );
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

const ROLE = { RoleArn: z.unknown().optional() };

// AWS::IoT::TopicRule Action. Actions of other types are refused when the rule is read.
const ACTION = z.looseObject({
  Sqs: z.strictObject({ ...ROLE, QueueUrl: z.string(), UseBase64: z.boolean().optional() }).optional(),
  Kinesis: z.strictObject({ ...ROLE, StreamName: z.string(), PartitionKey: z.string().optional() }).optional(),
});

const TOPIC_RULE = {
  schema: z.strictObject({
    RuleName: z.string().optional(),
    TopicRulePayload: z.strictObject({
      Sql: z.string(),
      AwsIotSqlVersion: z.literal('2016-03-23').optional(),
      Actions: z.array(ACTION),
      ErrorAction: ACTION.optional(),
      RuleDisabled: z.boolean().optional(),
      Description: z.string().optional(),
    }),
  }),
  ignored: ['Tags'],
} satisfies EmulatedType<z.ZodObject>;

function toAction(rule: string, { Sqs, Kinesis, ...others }: z.output<typeof ACTION>): RuleAction {
  if (Sqs !== undefined) return { type: 'sqs', queueUrl: Sqs.QueueUrl, useBase64: Sqs.UseBase64 === true };
  // Without a partition key, each message gets a new one (AWS::IoT::TopicRule KinesisAction).
  if (Kinesis !== undefined)
    return { type: 'kinesis', streamName: Kinesis.StreamName, partitionKey: Kinesis.PartitionKey ?? '${newuuid()}' };
  throw new InvalidOptionError(
    `action of rule ${rule}`,
    Object.keys(others).join(', '),
    'Sqs or Kinesis, the actions that the stand-in supports',
  );
}

import { compileIotSql, renderIotTemplate } from '../../../lambdas/core/sql/aws/engine.ts';
import type { IotMessage } from '../../../lambdas/core/sql/aws/message.ts';

/** A topic rule as CloudFormation declares it, with resolved references. */
export interface TopicRule {
  readonly name: string;
  readonly sql: string;
  readonly actions: readonly RuleAction[];
  readonly errorAction?: RuleAction;
  readonly disabled?: boolean;
}

/** The rule actions that the stand-in supports. */
export type RuleAction =
  | { readonly type: 'sqs'; readonly queueUrl: string; readonly useBase64: boolean }
  | { readonly type: 'kinesis'; readonly streamName: string; readonly partitionKey: string };

/** Carries out the rule actions. */
export interface RuleTargets {
  sendToQueue(queueUrl: string, body: string): void | Promise<void>;
  putToStream(streamName: string, partitionKey: string, data: Uint8Array): void | Promise<void>;
}

/** Runs a rule for a message; resolves when its actions are done. */
export type CompiledRule = (message: IotMessage) => Promise<void>;

/**
 * Compiles a rule. When an action fails, the error action gets the original payload (AWS IoT Core, "Error handling
 * (error action)"). The compiled rule rejects when there is no error action or it fails too.
 *
 * @throws InvalidSqlError when the rule's SQL is not supported.
 */
export function compileRule(rule: TopicRule, targets: RuleTargets): CompiledRule {
  if (rule.disabled) return async () => {};
  const sql = compileIotSql(rule.sql);
  return async (message) => {
    const output = sql.evaluate(message);
    if (output === undefined) return;
    const failures: RuleFailure[] = [];
    for (const action of rule.actions) {
      try {
        await run(action, message, output.payload, targets);
      } catch (error) {
        failures.push({
          failedAction: ACTION_NAMES[action.type],
          failedResource: resource(action),
          errorMessage: String(error),
        });
      }
    }
    if (failures.length === 0) return;
    const body = JSON.stringify({
      ruleName: rule.name,
      topic: message.topic,
      cloudwatchTraceId: message.traceId,
      clientId: message.clientId,
      base64OriginalPayload: Buffer.from(message.payload).toString('base64'),
      failures,
    });
    if (rule.errorAction === undefined) throw new Error(`rule ${rule.name} lost a message: ${body.slice(0, 500)}`);
    await run(rule.errorAction, message, Buffer.from(body), targets);
  };
}

interface RuleFailure {
  readonly failedAction: string;
  readonly failedResource: string;
  readonly errorMessage: string;
}

const ACTION_NAMES = { sqs: 'SqsAction', kinesis: 'KinesisAction' } as const;

function resource(action: RuleAction): string {
  return action.type === 'sqs' ? action.queueUrl : action.streamName;
}

async function run(action: RuleAction, message: IotMessage, output: Uint8Array, targets: RuleTargets): Promise<void> {
  if (action.type === 'sqs') {
    await targets.sendToQueue(action.queueUrl, Buffer.from(output).toString(action.useBase64 ? 'base64' : 'utf8'));
  } else {
    await targets.putToStream(action.streamName, renderIotTemplate(action.partitionKey, message), output);
  }
}

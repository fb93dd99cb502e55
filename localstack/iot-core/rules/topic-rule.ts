import { compileIotSql, renderIotTemplate } from '../../../lambdas/core/sql/aws/engine.ts';
import type { IotMessage } from '../../../lambdas/core/sql/aws/message.ts';

/** A topic rule as CloudFormation declares it, its references resolved. */
export interface TopicRule {
  readonly name: string;
  readonly sql: string;
  readonly actions: readonly RuleAction[];
  readonly errorAction?: RuleAction;
  readonly disabled?: boolean;
}

/** The actions that the stand-in can run. */
export type RuleAction =
  | { readonly type: 'sqs'; readonly queueUrl: string; readonly useBase64: boolean }
  | { readonly type: 'kinesis'; readonly streamName: string; readonly partitionKey: string };

/** What the actions act on. */
export interface RuleTargets {
  sendToQueue(queueUrl: string, body: string): void | Promise<void>;
  putToStream(streamName: string, partitionKey: string, data: Uint8Array): void | Promise<void>;
}

/** A rule that is ready to run: what it does for a message, until all of it is done. */
export type RunningRule = (message: IotMessage) => Promise<void>;

/**
 * Compiles a rule. An action that fails goes to the error action, with the original payload (AWS IoT Core, "Error handling
 * (error action)"); running it rejects only when that fails too, or there is none.
 *
 * @throws InvalidSqlError when the rule's SQL is not understood.
 */
export function compileRule(rule: TopicRule, targets: RuleTargets): RunningRule {
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
          failedAction: NAMES[action.type],
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

const NAMES = { sqs: 'SqsAction', kinesis: 'KinesisAction' } as const;

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

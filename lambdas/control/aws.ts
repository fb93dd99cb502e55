import { setTimeout as sleep } from 'node:timers/promises';
import { DisableTopicRuleCommand, EnableTopicRuleCommand, IoTClient } from '@aws-sdk/client-iot';
import {
  GetEventSourceMappingCommand,
  InvokeCommand,
  LambdaClient,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import type { SQSRecord } from 'aws-lambda';
import { readState } from '../core/control.ts';
import type { Connectivity, ProbeResponse } from '../core/control-requests.ts';
import type { TaskPorts } from './control.ts';

/** Where a task's parts are; the JSON of its configuration parameter. */
export interface ControlledTask {
  /** Ids of its event source mappings. */
  readonly mappings: readonly string[];
  /** Name of the parameter that keeps its state. */
  readonly state: string;
  /** False of a task that is deployed not to run, until its state is written. @default true */
  readonly enabled?: boolean;
  /** Names of its rules. */
  readonly rules: readonly string[];
  /** ARN of the worker's alias. */
  readonly worker: string;
  /** The queue that parked messages wait on. */
  readonly retryQueue?: { readonly url: string; readonly arn: string };
}

export interface Clients {
  readonly lambda: LambdaClient;
  readonly sqs: SQSClient;
  readonly ssm: SSMClient;
  readonly iot: IoTClient;
}

export function connect(): Clients {
  return { lambda: new LambdaClient(), sqs: new SQSClient(), ssm: new SSMClient(), iot: new IoTClient() };
}

/** A mapping that is changing refuses another change for some seconds. */
const CHANGE_AFTER_MS = [1_000, 2_000, 4_000, 8_000];
/** A message that is tried is lent for longer than the worker may take. */
const PROBE_SECONDS = 90;
/** A probe that hangs must not take the control function's time from what its operator asks for. */
const TEST_WITHIN_MS = 15_000;
const TRY_WITHIN_MS = 45_000;

/** A task by AWS's APIs. */
export function awsPorts(
  task: ControlledTask,
  { lambda, sqs, ssm, iot }: Clients,
  wait: (ms: number) => Promise<unknown> = sleep,
): TaskPorts {
  async function invoke<Answer>(event: object, withinMs: number): Promise<Answer> {
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName: task.worker, Payload: JSON.stringify(event) }),
      { abortSignal: AbortSignal.timeout(withinMs) },
    );
    const text = Payload?.transformToString() ?? '';
    if (FunctionError !== undefined) throw new Error(`${task.worker}: ${FunctionError}: ${text}`);
    return JSON.parse(text);
  }

  async function setMapping(id: string, enabled: boolean): Promise<void> {
    for (const waitMs of [...CHANGE_AFTER_MS, undefined]) {
      try {
        await lambda.send(new UpdateEventSourceMappingCommand({ UUID: id, Enabled: enabled }));
        return;
      } catch (error) {
        if ((error as Error).name !== 'ResourceInUseException') throw error;
        // It takes up to a minute to change. The next minute's look finds it otherwise than wanted, and switches it.
        if (waitMs === undefined) return;
        await wait(waitMs);
      }
    }
  }

  return {
    async readState() {
      const { Parameter } = await ssm.send(new GetParameterCommand({ Name: task.state }));
      return readState(Parameter?.Value, task.enabled);
    },
    async writeState(state) {
      await ssm.send(new PutParameterCommand({ Name: task.state, Value: JSON.stringify(state), Overwrite: true }));
    },
    mappingStates: () =>
      Promise.all(
        task.mappings.map(async (id) => {
          const { State } = await lambda.send(new GetEventSourceMappingCommand({ UUID: id }));
          return State ?? 'unknown';
        }),
      ),
    async setMappings(enabled) {
      await Promise.all(task.mappings.map((id) => setMapping(id, enabled)));
    },
    async setRules(enabled) {
      const Command = enabled ? EnableTopicRuleCommand : DisableTopicRuleCommand;
      for (const ruleName of task.rules) await iot.send(new Command({ ruleName }));
    },
    async testConnectivity() {
      try {
        return await invoke<Connectivity>({ outflow: 'testConnectivity' }, TEST_WITHIN_MS);
      } catch (error) {
        return { ok: false, detail: (error as Error).message };
      }
    },
    async tryOne() {
      if (task.retryQueue === undefined) return undefined;
      const { url: QueueUrl, arn } = task.retryQueue;
      const { Messages: [message] = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: 1,
          VisibilityTimeout: PROBE_SECONDS,
          MessageAttributeNames: ['All'],
          MessageSystemAttributeNames: ['All'],
        }),
      );
      if (message === undefined) return undefined;
      const event = { outflow: 'probe', Records: [toRecord(message, arn)] };
      const { batchItemFailures, halt } = await invoke<ProbeResponse>(event, TRY_WITHIN_MS);
      if (batchItemFailures.length === 0)
        await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
      return halt;
    },
  };
}

// The event that Lambda's own poller would have made of it.
function toRecord(message: Message, queueArn: string): SQSRecord {
  const { MessageId, ReceiptHandle, Body, Attributes = {}, MessageAttributes = {} } = message;
  return {
    messageId: MessageId!,
    receiptHandle: ReceiptHandle!,
    body: Body!,
    attributes: {
      ApproximateReceiveCount: Attributes['ApproximateReceiveCount']!,
      SentTimestamp: Attributes['SentTimestamp']!,
      SenderId: Attributes['SenderId'] ?? '',
      ApproximateFirstReceiveTimestamp: Attributes['ApproximateFirstReceiveTimestamp'] ?? '',
    },
    messageAttributes: Object.fromEntries(
      Object.entries(MessageAttributes).map(([name, { DataType = 'String', StringValue = '' }]) => [
        name,
        { dataType: DataType, stringValue: StringValue },
      ]),
    ),
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: queueArn.split(':')[3] ?? '',
  };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { DisableTopicRuleCommand, EnableTopicRuleCommand, IoTClient } from '@aws-sdk/client-iot';
import {
  GetEventSourceMappingCommand,
  InvokeCommand,
  LambdaClient,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda';
import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetParameterCommand, LabelParameterVersionCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import type { SQSRecord } from 'aws-lambda';
import type { Connectivity, ProbeResponse } from '../core/control-requests.ts';
import { INTAKE_ON, INTAKE_STOPPED } from '../core/intake.ts';
import { readState, readStateText, STATE_LABEL } from '../core/task-state.ts';
import type { TaskPorts } from './reconcile.ts';

/** The AWS resources of a task; the JSON of its configuration parameter. */
export interface ControlledTask {
  /** UUIDs of the event source mappings. */
  readonly mappings: readonly string[];
  /** Name of the parameter that holds the task's state. */
  readonly state: string;
  /** Whether the task is deployed to run. A written state overrides it. @default true */
  readonly enabled?: boolean;
  /** Names of the rules. */
  readonly rules: readonly string[];
  /** Names of the parameters that stop sources that run as functions. @default - none */
  readonly sources?: readonly string[];
  /** ARN of the worker's alias. */
  readonly worker: string;
  /** The queue that holds deferred messages. Absent when a stream is the buffer. */
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

/** Waits between attempts: a mapping that is changing refuses another change for some seconds. */
const CHANGE_WAITS_MS = [1_000, 2_000, 4_000, 8_000];
/** Visibility timeout of the probe's message, longer than the worker's timeout. */
const PROBE_VISIBILITY_SECONDS = 90;
/** Limits of a probe, so that one that hangs does not delay an operator's requests. */
const TEST_TIMEOUT_MS = 15_000;
const TRY_TIMEOUT_MS = 45_000;

/** Reads and changes a task by the APIs of AWS Lambda, AWS IoT, Amazon SQS and AWS Systems Manager. */
export function awsPorts(
  task: ControlledTask,
  { lambda, sqs, ssm, iot }: Clients,
  wait: (ms: number) => Promise<unknown> = sleep,
): TaskPorts {
  async function invoke<Response>(event: object, timeoutMs: number): Promise<Response> {
    const { Payload, FunctionError } = await lambda.send(
      new InvokeCommand({ FunctionName: task.worker, Payload: JSON.stringify(event) }),
      { abortSignal: AbortSignal.timeout(timeoutMs) },
    );
    const text = Payload?.transformToString() ?? '';
    if (FunctionError !== undefined) throw new Error(`${task.worker}: ${FunctionError}: ${text}`);
    return JSON.parse(text);
  }

  async function setMapping(id: string, enabled: boolean): Promise<void> {
    for (const waitMs of [...CHANGE_WAITS_MS, undefined]) {
      try {
        await lambda.send(new UpdateEventSourceMappingCommand({ UUID: id, Enabled: enabled }));
        return;
      } catch (error) {
        if ((error as Error).name !== 'ResourceInUseException') throw error;
        // A mapping takes up to a minute to change. The next minute's reconciliation changes it.
        if (waitMs === undefined) return;
        await wait(waitMs);
      }
    }
  }

  return {
    async readState() {
      const text = await readStateText(task.state, async (Name) => {
        const { Parameter } = await ssm.send(new GetParameterCommand({ Name }));
        return Parameter?.Value;
      });
      return readState(text, task.enabled);
    },
    async writeState(state) {
      const Name = task.state;
      const { Version } = await ssm.send(
        new PutParameterCommand({ Name, Value: JSON.stringify(state), Overwrite: true }),
      );
      await ssm.send(new LabelParameterVersionCommand({ Name, ParameterVersion: Version, Labels: [STATE_LABEL] }));
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
    async setIntake(enabled) {
      const Command = enabled ? EnableTopicRuleCommand : DisableTopicRuleCommand;
      for (const ruleName of task.rules) await iot.send(new Command({ ruleName }));
      const Value = enabled ? INTAKE_ON : INTAKE_STOPPED;
      for (const Name of task.sources ?? []) {
        const { Parameter } = await ssm.send(new GetParameterCommand({ Name }));
        if (Parameter?.Value !== Value) await ssm.send(new PutParameterCommand({ Name, Value, Overwrite: true }));
      }
    },
    async testConnectivity() {
      try {
        return await invoke<Connectivity>({ outflow: 'testConnectivity' }, TEST_TIMEOUT_MS);
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
          VisibilityTimeout: PROBE_VISIBILITY_SECONDS,
          MessageAttributeNames: ['All'],
          MessageSystemAttributeNames: ['All'],
        }),
      );
      if (message === undefined) return undefined;
      const event = { outflow: 'probe', Records: [toRecord(message, arn)] };
      const { batchItemFailures, halt } = await invoke<ProbeResponse>(event, TRY_TIMEOUT_MS);
      if (batchItemFailures.length === 0)
        await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
      return halt;
    },
  };
}

// The record that an event source mapping would pass to the function.
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

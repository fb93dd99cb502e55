import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import {
  GetEventSourceMappingCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import {
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { MAX_ENTRIES } from '../../lambdas/buffer/sqs/batches.ts';
import { sqsApi } from '../../lambdas/buffer/sqs/on-demand-api.ts';
import type { ControlMessage } from '../../lambdas/core/control-message.ts';
import type { Connectivity } from '../../lambdas/core/control-requests.ts';
import { isUnwritten, labelledState, readState } from '../../lambdas/core/task-state.ts';
import { type Cloud, type CloudTask, messagesIn, type QueueReport, reportOf, streamToRead } from './cloud.ts';
import {
  type DeadLetterQueue,
  openDeadLetterQueue,
  type ReceivedDeadLetter,
  VISIBILITY_SECONDS,
} from './dead-letter-queue.ts';
import { type DeployedStack, type DeployedTask, readDeployedStack } from './deployed.ts';
import { noTarget, queueTarget, streamTarget } from './redrive-target.ts';
import { queueName, retainedQueuesOf } from './retained-queues.ts';
import { readStream } from './stream-records.ts';

export interface AwsCloudOptions {
  readonly stackNames: readonly string[];
  /** Called with each failure, and with each stack that is not deployed. No message is lost by it. */
  readonly onNote: (note: string) => void;
}

/** The alias that a worker's mappings invoke. */
const ALIAS = 'live';
/** A long poll queries all of SQS's servers, so an empty answer means an empty queue. */
const POLL_SECONDS = 1;
const MOVE_POLL_MS = 1_000;
const STREAM_ARN = /^arn:[^:]*:kinesis:[^:]*:[^:]*:stream\/(.+)$/;

/**
 * The tasks of deployed stacks. Credentials, region and endpoint come from the environment of the AWS SDK: `AWS_ENDPOINT_URL` leads
 * to LocalStack.
 */
export function awsCloud({ stackNames, onNote }: AwsCloudOptions, clients: Clients = connect()): Cloud {
  async function readStacks(): Promise<readonly DeployedStack[]> {
    const stacks = await Promise.all(
      stackNames.map(async (name) => {
        const stack = await readDeployedStack(clients.cloudFormation, name);
        if (stack === undefined) onNote(`stack ${name} is not deployed in this account and region`);
        return stack ?? [];
      }),
    );
    return stacks.flat();
  }

  return {
    async tasks() {
      const stacks = await readStacks();
      const used = new Set(stacks.flatMap(({ physicalIds }) => [...physicalIds].map(queueName)));
      const tasks = stacks.flatMap((stack) => stack.tasks.map((task) => awsTask(task, used, clients, onNote)));
      if (tasks.length === 0) throw new Error(`no task is deployed in ${stackNames.join(', ') || 'no stack'}`);
      return tasks;
    },
    async retainedQueues() {
      const stacks = await readStacks();
      return (await Promise.all(stacks.map((stack) => retainedQueuesOf(stack, clients.sqs)))).flat();
    },
    close() {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

export interface Clients {
  readonly cloudFormation: CloudFormationClient;
  readonly lambda: LambdaClient;
  readonly sqs: SQSClient;
  readonly kinesis: KinesisClient;
  readonly ssm: SSMClient;
}

function connect(): Clients {
  return {
    cloudFormation: new CloudFormationClient(),
    lambda: new LambdaClient(),
    sqs: new SQSClient(),
    // The client uses HTTP/2 by default, and emulators of Kinesis do not support it.
    kinesis: new KinesisClient({ requestHandler: new NodeHttpHandler() }),
    ssm: new SSMClient(),
  };
}

function awsTask(
  { stack, metadata, idOf }: DeployedTask,
  used: ReadonlySet<string>,
  { lambda, sqs, kinesis, ssm }: Clients,
  onNote: (note: string) => void,
): CloudTask {
  const { task } = metadata;
  const id = (logicalId: string | undefined) => (logicalId === undefined ? undefined : idOf(logicalId));
  const worker = () => {
    if (metadata.worker === undefined)
      throw new Error(`${task} has no worker: with NoBuffer, IoT Core delivers by itself`);
    return idOf(metadata.worker);
  };
  // A queue of another stack is not in the metadata. The worker's environment has its URL.
  const variable = async (name: string) => {
    if (metadata.worker === undefined) return undefined;
    const configuration = async (of: { Qualifier?: string }) =>
      lambda.send(new GetFunctionConfigurationCommand({ FunctionName: worker(), ...of }));
    try {
      return (await configuration({ Qualifier: ALIAS })).Environment?.Variables?.[name];
    } catch (error) {
      // LocalStack finds no configuration by an alias.
      if ((error as Error).name !== 'ResourceNotFoundException') throw error;
      return (await configuration({})).Environment?.Variables?.[name];
    }
  };
  let deadLetterQueueUrl: Promise<string | undefined> | undefined;
  const deadLetterQueue = () => {
    deadLetterQueueUrl ??=
      metadata.deadLetterQueue === undefined
        ? variable('DEAD_LETTER_QUEUE_URL')
        : Promise.resolve(id(metadata.deadLetterQueue));
    return deadLetterQueueUrl;
  };

  // A stream of another stack is not in the metadata either. The event source mapping names it. Queues are always in the task's stack.
  const streamOfMapping = async () => {
    const [mapping] = metadata.mappings;
    if (mapping === undefined || metadata.queue !== undefined) return undefined;
    const { EventSourceArn = '' } = await lambda.send(new GetEventSourceMappingCommand({ UUID: idOf(mapping) }));
    return STREAM_ARN.exec(EventSourceArn)?.[1];
  };

  async function reportOfQueue(QueueUrl: string | undefined): Promise<QueueReport | undefined> {
    if (QueueUrl === undefined) return undefined;
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
    const number = (name: string) => Number((Attributes as Record<string, string> | undefined)?.[name] ?? 0);
    return {
      visible: number('ApproximateNumberOfMessages'),
      inFlight: number('ApproximateNumberOfMessagesNotVisible'),
      delayed: number('ApproximateNumberOfMessagesDelayed'),
      retentionSeconds: number('MessageRetentionPeriod'),
    };
  }

  async function stateOfMapping(uuid: string): Promise<string> {
    try {
      return (await lambda.send(new GetEventSourceMappingCommand({ UUID: uuid }))).State ?? 'unknown';
    } catch (error) {
      // The stack is being deleted, and the mapping was deleted first.
      if ((error as Error).name === 'ResourceNotFoundException') return 'Deleting';
      throw error;
    }
  }

  async function readParameter(name: string) {
    try {
      const { Parameter } = await ssm.send(new GetParameterCommand({ Name: labelledState(name) }));
      return readState(Parameter?.Value, metadata.enabled);
    } catch (error) {
      if (!isUnwritten(error)) throw error;
      return readState(undefined, metadata.enabled);
    }
  }

  async function receive(QueueUrl: string): Promise<ReceivedDeadLetter[]> {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: MAX_ENTRIES,
        VisibilityTimeout: VISIBILITY_SECONDS,
        WaitTimeSeconds: POLL_SECONDS,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      }),
    );
    return Messages.map(({ MessageId, ReceiptHandle, Body, Attributes, MessageAttributes = {} }) => ({
      messageId: MessageId!,
      receiptHandle: ReceiptHandle!,
      body: Body!,
      sentAt: Number(Attributes?.SentTimestamp),
      attributes: Object.fromEntries(
        Object.entries(MessageAttributes).map(([name, { DataType = 'String', StringValue, BinaryValue }]) => [
          name,
          { DataType, StringValue, BinaryValue },
        ]),
      ),
    }));
  }

  async function queueArn(QueueUrl: string | undefined, what: string): Promise<string> {
    if (QueueUrl === undefined) throw new Error(`${task} has no ${what}`);
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
    return Attributes!.QueueArn!;
  }

  async function open(from: string): Promise<DeadLetterQueue> {
    const api = sqsApi();
    const queueUrl = id(metadata.queue);
    const streamName = id(metadata.stream) ?? (await streamOfMapping());
    let target = noTarget;
    if (queueUrl !== undefined) target = queueTarget(api, queueUrl, onNote);
    else if (streamName !== undefined) target = streamTarget(kinesis, streamName, onNote);
    return openDeadLetterQueue({ api, receive: () => receive(from), deadLetterQueueUrl: from, target, onNote });
  }

  return {
    name: task,
    stack,
    path: metadata.path,
    sink: metadata.sink,
    hasWorker: metadata.worker !== undefined,
    filters: metadata.filters,
    rules: metadata.rules.map(idOf),
    async status() {
      const [state, mappings, queue, retryQueue, deadLetters] = await Promise.all([
        metadata.state === undefined ? undefined : readParameter(idOf(metadata.state)),
        Promise.all(metadata.mappings.map((mapping) => stateOfMapping(idOf(mapping)))),
        reportOfQueue(id(metadata.queue)),
        reportOfQueue(id(metadata.retryQueue)),
        deadLetterQueue().then(reportOfQueue),
      ]);
      const { description } = metadata;
      const readings = { task, stack, description, state, mappings, queue, retryQueue, deadLetterQueue: deadLetters };
      return reportOf(readings, Date.now());
    },
    async request(request) {
      worker();
      if (metadata.controlQueue === undefined)
        throw new Error(`${stack} has no control function; deploy the stack again`);
      const message: ControlMessage = { ...request, task };
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: idOf(metadata.controlQueue),
          MessageBody: JSON.stringify(message),
          MessageGroupId: task,
          MessageDeduplicationId: randomUUID(),
        }),
      );
    },
    async testConnectivity(): Promise<Connectivity> {
      const { Payload, FunctionError } = await lambda.send(
        new InvokeCommand({
          FunctionName: worker(),
          Qualifier: ALIAS,
          Payload: JSON.stringify({ outflow: 'testConnectivity' }),
        }),
      );
      const answer = Payload?.transformToString() ?? '';
      return FunctionError === undefined ? JSON.parse(answer) : { ok: false, detail: `${FunctionError}: ${answer}` };
    },
    async arrived(options, target) {
      const targetArn = target === undefined ? await variable('TARGET_ARN') : undefined;
      return readStream(kinesis, streamToRead(task, metadata.sink, target, targetArn), options);
    },
    async countDeadLetters() {
      const report = await reportOfQueue(await deadLetterQueue());
      return report && messagesIn(report);
    },
    async deadLetterQueue() {
      const deadLetterQueueUrl = await deadLetterQueue();
      if (deadLetterQueueUrl === undefined)
        throw new Error(`${task}: its dead-letter queue is in another stack, and the task has no worker that names it`);
      return open(deadLetterQueueUrl);
    },
    async retainedQueue(queueUrl) {
      if (used.has(queueName(queueUrl)))
        throw new Error(`--queue: got ${queueUrl}, which a stack uses; expected a retained queue`);
      return open(queueUrl);
    },
    async moveAll(ratePerSecond, onProgress) {
      const SourceArn = await queueArn(await deadLetterQueue(), 'dead-letter queue');
      const DestinationArn = await queueArn(id(metadata.queue), 'queue to redrive to');
      const rate = ratePerSecond !== undefined && { MaxNumberOfMessagesPerSecond: ratePerSecond };
      const { TaskHandle } = await sqs.send(new StartMessageMoveTaskCommand({ SourceArn, DestinationArn, ...rate }));
      for (;;) {
        const { Results = [] } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 10 }));
        // Only a running move task has a handle. The latest one comes first.
        const move = Results.find((result) => result.TaskHandle === TaskHandle) ?? Results[0];
        const moved = move?.ApproximateNumberOfMessagesMoved ?? 0;
        onProgress(moved);
        if (move?.Status === 'COMPLETED') return moved;
        if (move === undefined || move.Status !== 'RUNNING')
          throw new Error(
            `SQS's move task ended with status ${move?.Status ?? 'unknown'}: ${move?.FailureReason ?? 'no reason given'}`,
          );
        await sleep(MOVE_POLL_MS);
      }
    },
  };
}

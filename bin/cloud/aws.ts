import { randomUUID } from 'node:crypto';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import {
  GetEventSourceMappingCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { sqsApi } from '../../lambdas/buffer/sqs/on-demand-api.ts';
import type { ControlMessage } from '../../lambdas/core/control-message.ts';
import type {
  Connectivity,
  ConnectivityRequest,
  ReadRequest,
  ReadResponse,
} from '../../lambdas/core/control-requests.ts';
import { readState, readStateText } from '../../lambdas/core/task-state.ts';
import { moveMessages, receiveDeadLetters, reportOfQueue } from './aws-queues.ts';
import { type Cloud, type CloudTask, messagesIn, recordsOf, reportOf, streamToRead } from './cloud.ts';
import { openMetricsReader } from './cloud-watch.ts';
import { type DeadLetterQueue, openDeadLetterQueue } from './dead-letter-queue.ts';
import { type DeployedStack, type DeployedTask, readDeployedStack } from './deployed.ts';
import { noTarget, queueTarget, streamTarget } from './redrive-target.ts';
import { queueName, retainedQueuesOf } from './retained-queues.ts';
import { READ_BY_WORKER, readStream } from './stream-records.ts';
import type { MeasuredTask } from './task-metrics.ts';

export interface AwsCloudOptions {
  readonly stackNames: readonly string[];
  /** Called with each failure, and with each stack that is not deployed. No message is lost by it. */
  readonly onNote: (note: string) => void;
}

/** The alias that a worker's mappings invoke. */
const ALIAS = 'live';
const STREAM_ARN = /^arn:[^:]*:kinesis:[^:]*:[^:]*:stream\/(.+)$/;

/**
 * The tasks of deployed stacks. Credentials, region and endpoint come from the environment of the AWS SDK: `AWS_ENDPOINT_URL` leads
 * to LocalStack.
 */
export function awsCloud({ stackNames, onNote }: AwsCloudOptions, clients: Clients = connect()): Cloud {
  const metrics = openMetricsReader({ onNote, ...(clients.cloudWatch && { client: clients.cloudWatch }) });
  const measured = new WeakMap<CloudTask, AwsTask['measured']>();

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
      for (const task of tasks) measured.set(task, task.measured);
      return tasks;
    },
    readMetrics: async (tasks) => metrics.read(await Promise.all(tasks.map((task) => measured.get(task)!()))),
    async retainedQueues() {
      const stacks = await readStacks();
      return (await Promise.all(stacks.map((stack) => retainedQueuesOf(stack, clients.sqs)))).flat();
    },
    close() {
      metrics.close();
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
  /** @default - loaded with the first reading of metrics */
  readonly cloudWatch?: CloudWatchClient;
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

interface AwsTask extends CloudTask {
  /** Names of the task's metrics. */
  measured(): Promise<MeasuredTask>;
}

function awsTask(
  { stack, metadata, idOf }: DeployedTask,
  used: ReadonlySet<string>,
  { lambda, sqs, kinesis, ssm }: Clients,
  onNote: (note: string) => void,
): AwsTask {
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
  const bufferStream = async () => {
    if (metadata.stream !== undefined) return idOf(metadata.stream);
    const [mapping] = metadata.mappings;
    if (mapping === undefined || metadata.queue !== undefined) return undefined;
    const { EventSourceArn = '' } = await lambda.send(new GetEventSourceMappingCommand({ UUID: idOf(mapping) }));
    return STREAM_ARN.exec(EventSourceArn)?.[1];
  };

  async function stateOfMapping(uuid: string): Promise<string> {
    try {
      return (await lambda.send(new GetEventSourceMappingCommand({ UUID: uuid }))).State ?? 'unknown';
    } catch (error) {
      // The stack is being deleted, and the mapping was deleted first.
      if ((error as Error).name === 'ResourceNotFoundException') return 'Deleting';
      throw error;
    }
  }

  async function invoke(request: ConnectivityRequest | ReadRequest) {
    const command = { FunctionName: worker(), Qualifier: ALIAS, Payload: JSON.stringify(request) };
    const { Payload, FunctionError: failed } = await lambda.send(new InvokeCommand(command));
    return { failed, text: Payload?.transformToString() ?? '' };
  }

  async function state(parameter: string) {
    const text = await readStateText(parameter, async (Name) => {
      const { Parameter } = await ssm.send(new GetParameterCommand({ Name }));
      return Parameter?.Value;
    });
    return readState(text, metadata.enabled);
  }

  const queueReport = (url: string | undefined) => (url === undefined ? undefined : reportOfQueue(sqs, url));

  async function open(from: string): Promise<DeadLetterQueue> {
    const api = sqsApi();
    const queueUrl = id(metadata.queue);
    const streamName = await bufferStream();
    let target = noTarget;
    if (queueUrl !== undefined) target = queueTarget(api, queueUrl, onNote);
    else if (streamName !== undefined) target = streamTarget(kinesis, streamName, onNote);
    return openDeadLetterQueue({
      api,
      receive: () => receiveDeadLetters(sqs, from),
      deadLetterQueueUrl: from,
      target,
      onNote,
    });
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
      const [stored, mappings, queue, retryQueue, deadLetters] = await Promise.all([
        metadata.state === undefined ? undefined : state(idOf(metadata.state)),
        Promise.all(metadata.mappings.map((mapping) => stateOfMapping(idOf(mapping)))),
        queueReport(id(metadata.queue)),
        queueReport(id(metadata.retryQueue)),
        deadLetterQueue().then(queueReport),
      ]);
      const { description } = metadata;
      const queues = { queue, retryQueue, deadLetterQueue: deadLetters };
      return reportOf({ task, stack, description, state: stored, mappings, ...queues }, Date.now());
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
      const { failed, text } = await invoke({ outflow: 'testConnectivity' });
      return failed === undefined ? JSON.parse(text) : { ok: false, detail: `${failed}: ${text}` };
    },
    async arrived({ since, limit, consumerGroup, waitMs }, target) {
      if (!READ_BY_WORKER.includes(metadata.sink)) {
        const targetArn = target === undefined ? await variable('TARGET_ARN') : undefined;
        return readStream(kinesis, streamToRead(task, metadata.sink, target, targetArn), { since, limit });
      }
      const request = {
        outflow: 'read',
        since,
        limit,
        consumerGroup,
        waitMs,
        ...(target !== undefined && { target }),
      } as const;
      const { failed, text } = await invoke(request);
      if (failed !== undefined)
        throw new Error(
          `${task}: its worker could not read: ${failed}: ${text}; deploy the stack again if it is older than this command`,
        );
      return recordsOf(task, JSON.parse(text) as ReadResponse, onNote);
    },
    async countDeadLetters() {
      const report = await queueReport(await deadLetterQueue());
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
      const [from, to] = [await deadLetterQueue(), id(metadata.queue)];
      if (from === undefined || to === undefined)
        throw new Error(`${task} has no ${from === undefined ? 'dead-letter queue' : 'queue to redrive to'}`);
      return moveMessages(sqs, { from, to }, ratePerSecond, onProgress);
    },
    async measured() {
      const queueUrl = id(metadata.queue);
      return {
        stack,
        task,
        queue: queueUrl && queueName(queueUrl),
        stream: await bufferStream(),
        worker: id(metadata.worker),
        rules: metadata.rules.map(idOf),
        countsDelivered: metadata.worker !== undefined && metadata.logLevel !== 'warn',
      };
    },
  };
}

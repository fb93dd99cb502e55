import { readFileSync } from 'node:fs';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { SSMClient } from '@aws-sdk/client-ssm';
import { processesOf } from '../../localstack/docker-free/processes.ts';
import type { LocalStackProcess } from '../../localstack/docker-free/start.ts';
import { connectKinesis } from '../../localstack/one-process/kinesis.ts';

/** Clients of the AWS SDK for a LocalStack. */
export function clientsOf(endpoint: string) {
  const config = { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
  return {
    cloudFormation: new CloudFormationClient(config),
    kinesis: connectKinesis(endpoint).client,
    lambda: new LambdaClient(config),
    logs: new CloudWatchLogsClient(config),
    sqs: new SQSClient(config),
    ssm: new SSMClient(config),
  };
}
export type Clients = ReturnType<typeof clientsOf>;

/** Returns the outputs of a deployed stack. */
export async function outputsOf({ cloudFormation }: Clients, stack: string): Promise<Record<string, string>> {
  const { Stacks } = await cloudFormation.send(new DescribeStacksCommand({ StackName: stack }));
  return Object.fromEntries(Stacks![0]!.Outputs!.map(({ OutputKey, OutputValue }) => [OutputKey!, OutputValue!]));
}

/** Receives and deletes a message, with all its attributes. Undefined if none arrives within a second. */
export async function takeMessage({ sqs }: Clients, QueueUrl: string): Promise<Message | undefined> {
  const { Messages } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl, MessageAttributeNames: ['All'], WaitTimeSeconds: 1 }),
  );
  const [message] = Messages ?? [];
  if (message !== undefined)
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  return message;
}

/** Returns the lines that a function has logged. */
export async function logOf({ lambda, logs }: Clients, functionName: string): Promise<string[]> {
  const { LoggingConfig } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: functionName }));
  const { events = [] } = await logs.send(
    new FilterLogEventsCommand({ logGroupName: LoggingConfig!.LogGroup!, limit: 10_000 }),
  );
  return events.map(({ message }) => message!);
}

/** Returns the ids of the processes that run functions. */
export function functionPids(localStack: LocalStackProcess): number[] {
  return processesOf(localStack.stateFolder).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('client/main.mjs');
    } catch {
      return false; // The process has ended.
    }
  });
}

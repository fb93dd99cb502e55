import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { TaskMetadata } from '../../lambdas/core/metadata.ts';
import type { Broker } from '../iot-core/broker/broker.ts';
import { startStandIn } from '../iot-core/stand-in.ts';
import { kinesisClient, putInOrder } from '../one-process/kinesis.ts';
import { declaredRules } from '../one-process/rules.ts';
import { DEFAULT_ENVIRONMENT, type Environment } from './cdk.ts';
import { readDeployedStacks } from './read-stack.ts';

export interface AttachOptions {
  /** Endpoint URL of LocalStack. */
  readonly endpointUrl: string;
  readonly stackNames: readonly string[];
  /** Where the stacks are deployed. @default DEFAULT_ENVIRONMENT */
  readonly environment?: Environment;
  /** MQTT port on 127.0.0.1. @default - a free port */
  readonly port?: number | undefined;
  readonly onError: (error: Error) => void;
  /** Called when the broker ends a client's connection, with the reason in words. */
  readonly onDisconnect?: (clientId: string | undefined, reason: string) => void;
}

/** The stand-in for AWS IoT Core, attached to deployed stacks. */
export interface Attached {
  readonly broker: Broker;
  readonly tasks: readonly TaskMetadata[];
  close(): Promise<void>;
}

/**
 * Runs the topic rules of deployed stacks, which LocalStack's community edition accepts and does not run. Their actions write to
 * the deployed queues and streams.
 *
 * @throws when the stacks have no topic rule, or one that the stand-in does not support.
 */
export async function attach({
  endpointUrl,
  stackNames,
  environment = DEFAULT_ENVIRONMENT,
  port,
  onError,
  onDisconnect,
}: AttachOptions): Promise<Attached> {
  const { account, region } = environment;
  // LocalStack reads the account from the access key.
  const config = { endpoint: endpointUrl, region, credentials: { accessKeyId: account, secretAccessKey: 'test' } };
  const clients = {
    cloudFormation: new CloudFormationClient(config),
    sqs: new SQSClient(config),
    kinesis: kinesisClient(config),
  };
  const { stacks, identify } = await readDeployedStacks(clients.cloudFormation, stackNames, environment);
  const rules = declaredRules(stacks, identify);
  if (rules.length === 0)
    throw new Error(
      `stacks: got ${stackNames.join(', ')}, which have no topic rule; expected a stack with an OutflowTask`,
    );
  const broker = await startStandIn({
    rules,
    port,
    accountId: account,
    onError,
    ...(onDisconnect && { onDisconnect }),
    targets: {
      async sendToQueue(queueUrl, body) {
        await clients.sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }));
      },
      putToStream: putInOrder(clients.kinesis),
    },
  });
  return {
    broker,
    tasks: stacks.flatMap(({ tasks }) => tasks),
    async close() {
      await broker.close();
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { TaskMetadata } from '../../lambdas/core/metadata.ts';
import type { Broker } from '../iot-core/broker/broker.ts';
import { type DataPlane, startDataPlane } from '../iot-core/data-plane/data-plane.ts';
import { startStandIn } from '../iot-core/stand-in.ts';
import { kinesisClient, putInOrder } from '../one-process/kinesis.ts';
import { declaredRules } from '../one-process/rules.ts';
import { DEFAULT_ENVIRONMENT, type Environment } from './cdk.ts';
import { readDeployedStacks } from './read-stack.ts';
import { setDataPlaneEndpoint } from './worker-endpoint.ts';

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
  /** AWS IoT Core's HTTP API, which the deployed workers of tasks that republish call. */
  readonly dataPlane: Pick<DataPlane, 'endpointUrl'>;
  readonly tasks: readonly TaskMetadata[];
  close(): Promise<void>;
}

/**
 * Runs the topic rules of deployed stacks, which LocalStack's community edition accepts and does not run. Their actions write to
 * the deployed queues and streams. The workers of tasks that republish get the endpoint of the stand-in's HTTP API.
 *
 * @throws when the stacks have no task, or a topic rule that the stand-in does not support.
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
    lambda: new LambdaClient(config),
    sqs: new SQSClient(config),
    kinesis: kinesisClient(config),
  };
  const { stacks, identify } = await readDeployedStacks(clients.cloudFormation, stackNames, environment);
  if (stacks.every(({ tasks }) => tasks.length === 0))
    throw new Error(`stacks: got ${stackNames.join(', ')}, which have no task; expected a stack with an OutflowTask`);
  const broker = await startStandIn({
    // A task may have none: an `MqttSource` reads another broker.
    rules: declaredRules(stacks, identify),
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
  const dataPlane = await startDataPlane({ broker });
  for (const { name, template, tasks } of stacks) {
    for (const { sink, worker } of tasks) {
      if (sink !== 'republish' || worker === undefined) continue;
      const { name: functionName } = identify(name, worker, template.Resources?.[worker]);
      await setDataPlaneEndpoint(clients.lambda, functionName, dataPlane.endpointUrl);
    }
  }
  return {
    broker,
    dataPlane,
    tasks: stacks.flatMap(({ tasks }) => tasks),
    async close() {
      await broker.close();
      await dataPlane.close();
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

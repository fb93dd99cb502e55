import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { TaskMetadata } from '../../lambdas/core/metadata.ts';
import { LOCAL_CREDENTIALS } from '../../lambdas/deliver/sink.ts';
import type { Broker } from '../iot-core/broker/broker.ts';
import { startStandIn } from '../iot-core/stand-in.ts';
import { connectKinesis, putInOrder } from '../one-process/kinesis.ts';
import { ACCOUNT, REGION } from '../one-process/resolve.ts';
import { declaredRules } from '../one-process/rules.ts';
import { type DeployedStack, readDeployedStack } from './read-stack.ts';

export interface AttachOptions {
  /** Endpoint URL of LocalStack. */
  readonly endpointUrl: string;
  readonly stackNames: readonly string[];
  /** MQTT port on 127.0.0.1. @default - a free port */
  readonly port?: number | undefined;
  readonly onError: (error: Error) => void;
}

/** The stand-in for AWS IoT Core, attached to deployed stacks. */
export interface Attached {
  readonly broker: Broker;
  readonly tasks: readonly TaskMetadata[];
  readonly stacks: readonly DeployedStack[];
  close(): Promise<void>;
}

/**
 * Runs the topic rules of deployed stacks, which LocalStack's community edition accepts and does not run. Their actions write to
 * the deployed queues and streams.
 *
 * @throws when the stacks have no topic rule, or one that the stand-in does not support.
 */
export async function attach({ endpointUrl, stackNames, port, onError }: AttachOptions): Promise<Attached> {
  const config = { endpoint: endpointUrl, region: REGION, credentials: LOCAL_CREDENTIALS };
  const clients = {
    cloudFormation: new CloudFormationClient(config),
    sqs: new SQSClient(config),
    kinesis: connectKinesis(endpointUrl).client,
  };
  const stacks = await Promise.all(stackNames.map((name) => readDeployedStack(clients.cloudFormation, name)));
  const rules = stacks.flatMap(({ stack, identify }) => declaredRules([stack], identify));
  if (rules.length === 0)
    throw new Error(
      `stacks: got ${stackNames.join(', ')}, which have no topic rule; expected a stack with an OutflowTask`,
    );
  const broker = await startStandIn({
    rules,
    port,
    accountId: ACCOUNT,
    onError,
    targets: {
      async sendToQueue(queueUrl, body) {
        await clients.sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }));
      },
      putToStream: putInOrder(clients.kinesis),
    },
  });
  return {
    broker,
    stacks,
    tasks: stacks.flatMap(({ stack }) => stack.tasks),
    async close() {
      await broker.close();
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

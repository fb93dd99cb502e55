import type {
  ChangeMessageVisibilityBatchCommandInput,
  ChangeMessageVisibilityBatchCommandOutput,
  DeleteMessageBatchCommandInput,
  DeleteMessageBatchCommandOutput,
  SendMessageBatchCommandInput,
  SendMessageBatchCommandOutput,
  SendMessageCommandInput,
} from '@aws-sdk/client-sqs';

type Answer<Output> = Promise<Omit<Output, '$metadata'>>;

/** What a worker asks of SQS; in one process, the queues in memory answer. */
export interface SqsApi {
  send(input: SendMessageCommandInput): Promise<unknown>;
  sendBatch(input: SendMessageBatchCommandInput): Answer<SendMessageBatchCommandOutput>;
  deleteBatch(input: DeleteMessageBatchCommandInput): Answer<DeleteMessageBatchCommandOutput>;
  changeVisibilityBatch(
    input: ChangeMessageVisibilityBatchCommandInput,
  ): Answer<ChangeMessageVisibilityBatchCommandOutput>;
}

/** SQS itself. The client is loaded when it is first needed, so that a cold start does without it. */
export function sqsApi(): SqsApi {
  let loaded: ReturnType<typeof load> | undefined;
  const ready = () => {
    loaded ??= load();
    return loaded;
  };
  return {
    async send(input) {
      const { sdk, client } = await ready();
      return client.send(new sdk.SendMessageCommand(input));
    },
    async sendBatch(input) {
      const { sdk, client } = await ready();
      return client.send(new sdk.SendMessageBatchCommand(input));
    },
    async deleteBatch(input) {
      const { sdk, client } = await ready();
      return client.send(new sdk.DeleteMessageBatchCommand(input));
    },
    async changeVisibilityBatch(input) {
      const { sdk, client } = await ready();
      return client.send(new sdk.ChangeMessageVisibilityBatchCommand(input));
    },
  };
}

async function load() {
  const sdk = await import('@aws-sdk/client-sqs');
  const requestHandler = { connectionTimeout: 2_000, requestTimeout: 8_000, throwOnRequestTimeout: true };
  return { sdk, client: new sdk.SQSClient({ maxAttempts: 3, requestHandler }) };
}

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

/** The calls of SQS that a worker makes; in one process, queues in memory answer them. */
export interface SqsApi {
  send(input: SendMessageCommandInput): Promise<unknown>;
  sendBatch(input: SendMessageBatchCommandInput): Answer<SendMessageBatchCommandOutput>;
  deleteBatch(input: DeleteMessageBatchCommandInput): Answer<DeleteMessageBatchCommandOutput>;
  changeVisibilityBatch(
    input: ChangeMessageVisibilityBatchCommandInput,
  ): Answer<ChangeMessageVisibilityBatchCommandOutput>;
}

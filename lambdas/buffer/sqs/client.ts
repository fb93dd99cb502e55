import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { SqsApi } from './api.ts';

// A module of its own, so that a bundle holds only the commands that are imported here.
const client = new SQSClient({
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 8_000, throwOnRequestTimeout: true },
});

export const send: SqsApi['send'] = (input) => client.send(new SendMessageCommand(input));
export const sendBatch: SqsApi['sendBatch'] = (input) => client.send(new SendMessageBatchCommand(input));
export const deleteBatch: SqsApi['deleteBatch'] = (input) => client.send(new DeleteMessageBatchCommand(input));
export const changeVisibilityBatch: SqsApi['changeVisibilityBatch'] = (input) =>
  client.send(new ChangeMessageVisibilityBatchCommand(input));

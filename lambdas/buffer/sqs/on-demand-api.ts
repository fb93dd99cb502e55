import type { SqsApi } from './api.ts';

/** Calls SQS. The client is loaded with the first call, so that a cold start does without it. */
export function sqsApi(): SqsApi {
  const client = () => import('./client.ts');
  return {
    send: async (input) => (await client()).send(input),
    sendBatch: async (input) => (await client()).sendBatch(input),
    deleteBatch: async (input) => (await client()).deleteBatch(input),
    changeVisibilityBatch: async (input) => (await client()).changeVisibilityBatch(input),
  };
}

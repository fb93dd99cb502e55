import { randomUUID } from 'node:crypto';
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { Clock } from './clock.ts';

/** The function did not return in time. It is not stopped, only no longer waited for. */
export class FunctionTimeoutError extends Error {
  override readonly name = 'FunctionTimeoutError';
}

/** A Lambda function that runs in this process. */
export interface LambdaFunction {
  // biome-ignore lint/suspicious/noConfusingVoidType: as in aws-lambda's SQSHandler
  readonly handler: (event: SQSEvent, context: Context) => Promise<SQSBatchResponse | void>;
  readonly functionName: string;
  /** 1 to 900. */
  readonly functionTimeoutSeconds: number;
  readonly region: string;
  readonly accountId: string;
  readonly clock: Clock;
}

/** Calls the function and returns its answer; throws what it throws, or that its time is over. */
export async function callFunction(fn: LambdaFunction, event: SQSEvent, requestId: string): Promise<unknown> {
  const deadline = fn.clock.now() + fn.functionTimeoutSeconds * 1000;
  let cancelTimeout = () => {};
  const timeout = new Promise<never>((_, reject) => {
    cancelTimeout = fn.clock.after(fn.functionTimeoutSeconds * 1000, () =>
      reject(new FunctionTimeoutError(`${fn.functionName} did not return within ${fn.functionTimeoutSeconds} s`)),
    );
  });
  // In a later turn: a handler that sends, receives or disables its mapping must not do so amid a poll.
  const answer = Promise.resolve().then(() => fn.handler(event, contextOf(fn, requestId, deadline)));
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    cancelTimeout();
  }
}

function contextOf(fn: LambdaFunction, requestId: string, deadline: number): Context {
  const day = new Date(fn.clock.now()).toISOString().slice(0, 10).replaceAll('-', '/');
  const notOffered = () => {
    throw new Error('Outflow runs only handlers that return a promise');
  };
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: fn.functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:${fn.region}:${fn.accountId}:function:${fn.functionName}`,
    memoryLimitInMB: '512',
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${fn.functionName}`,
    logStreamName: `${day}/[$LATEST]${randomUUID().replaceAll('-', '')}`,
    getRemainingTimeInMillis: () => Math.max(0, deadline - fn.clock.now()),
    done: notOffered,
    fail: notOffered,
    succeed: notOffered,
  };
}

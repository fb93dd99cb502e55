import { randomUUID } from 'node:crypto';
import type { Context } from 'aws-lambda';
import type { Clock } from '../clock.ts';

/** The function did not return in time. It continues to run, but its response is ignored. */
export class FunctionTimeoutError extends Error {
  override readonly name = 'FunctionTimeoutError';
}

/** A Lambda function that runs in this process. */
export interface LambdaFunction<Event, Response = unknown> {
  readonly handler: (event: Event, context: Context) => Promise<Response>;
  readonly functionName: string;
  /** 1 to 900. */
  readonly functionTimeoutSeconds: number;
  readonly region: string;
}

/**
 * Invokes a function and returns its response.
 *
 * @throws FunctionTimeoutError after the function's timeout, or the function's own error.
 */
export async function invoke<Event>(
  fn: LambdaFunction<Event> & { readonly accountId: string; readonly clock: Clock },
  event: Event,
  requestId: string,
): Promise<unknown> {
  const deadline = fn.clock.now() + fn.functionTimeoutSeconds * 1000;
  let cancelTimeout = () => {};
  const timeout = new Promise<never>((_, reject) => {
    cancelTimeout = fn.clock.after(fn.functionTimeoutSeconds * 1000, () =>
      reject(new FunctionTimeoutError(`${fn.functionName} did not return within ${fn.functionTimeoutSeconds} s`)),
    );
  });
  // The handler starts in a later turn, because it may change the queue and the mapping that is just polling.
  const response = Promise.resolve().then(() => fn.handler(event, contextOf(fn, requestId, deadline)));
  try {
    return await Promise.race([response, timeout]);
  } finally {
    cancelTimeout();
  }
}

function contextOf(
  fn: Pick<LambdaFunction<never>, 'functionName' | 'region'> & { readonly accountId: string; readonly clock: Clock },
  requestId: string,
  deadline: number,
): Context {
  const day = new Date(fn.clock.now()).toISOString().slice(0, 10).replaceAll('-', '/');
  const notSupported = () => {
    throw new Error('The handler must return a promise; context.done, fail and succeed are not supported');
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
    done: notSupported,
    fail: notSupported,
    succeed: notSupported,
  };
}

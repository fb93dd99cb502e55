// A Lambda runtime for Node.js handlers. It loads the function, then runs one invocation after the other.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
import { Worker } from 'node:worker_threads';
import { flushed, logTo } from './console.mjs';
import { errorObject } from './error-object.mjs';
import { loadHandler } from './handler.mjs';
import { initFailed, nextInvocation, respond } from './runtime-api.mjs';

new Worker(new URL('./exit-with-parent.mjs', import.meta.url)).unref();

const { env } = process;
let requestId;
logTo(() => requestId);

let handler;
process.on('uncaughtException', (error) => exitWith('Uncaught Exception', error, 129));
process.on('unhandledRejection', (reason) =>
  exitWith(
    'Unhandled Promise Rejection',
    Object.assign(new Error(String(reason?.message ?? reason), { cause: reason }), {
      name: 'Runtime.UnhandledPromiseRejection',
    }),
    128,
  ),
);

try {
  handler = await loadHandler(env.LAMBDA_TASK_ROOT, env._HANDLER);
} catch (error) {
  await exitWith('Uncaught Exception', error, 1);
}

for (;;) {
  const invocation = await nextInvocation();
  requestId = invocation.requestId;
  env._X_AMZN_TRACE_ID = invocation.traceId;
  const outcome = await run(invocation);
  await flushed();
  await respond(requestId, outcome);
}

async function run({ event, deadlineMs, functionArn }) {
  const context = {
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: functionArn,
    awsRequestId: requestId,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
  try {
    return { value: await handler(JSON.parse(event), context) };
  } catch (error) {
    console.error('Invoke Error', JSON.stringify(errorObject(error)));
    return { error };
  }
}

// The state of the process is unknown, so it reports the error and exits. A new process runs the next invocation.
async function exitWith(what, error, exitCode) {
  console.error(what, JSON.stringify(errorObject(error)));
  await flushed();
  await (handler === undefined ? initFailed(error) : respond(requestId, { error })).catch(() => {});
  process.exit(exitCode);
}

import { Agent, request } from 'node:http';
import { errorObject } from './error-object.mjs';

const base = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
// Not `fetch`, which times out after five minutes, while the next invocation may come much later.
const agent = new Agent({ keepAlive: true });

/** Waits for the next invocation. Exits the process when there will be none. */
export async function nextInvocation() {
  const { status, headers, text } = await call('GET', '/invocation/next');
  if (status !== 200) process.exit(0);
  return {
    requestId: headers['lambda-runtime-aws-request-id'],
    deadlineMs: Number(headers['lambda-runtime-deadline-ms']),
    functionArn: headers['lambda-runtime-invoked-function-arn'],
    traceId: headers['lambda-runtime-trace-id'],
    event: text,
  };
}

export async function respond(requestId, { value, error }) {
  if (error !== undefined) return call('POST', `/invocation/${requestId}/error`, JSON.stringify(errorObject(error)));
  let json;
  try {
    json = JSON.stringify(value) ?? 'null';
  } catch (cause) {
    const unprintable = new Error('Unable to stringify response body', { cause });
    unprintable.name = 'Runtime.MarshalError';
    return respond(requestId, { error: unprintable });
  }
  return call('POST', `/invocation/${requestId}/response`, json);
}

export function initFailed(error) {
  return call('POST', '/init/error', JSON.stringify(errorObject(error)));
}

function call(method, path, body = '') {
  return new Promise((resolve, reject) => {
    request(base + path, { method, agent, headers: { 'content-length': Buffer.byteLength(body) } }, (response) => {
      const { statusCode: status, headers } = response;
      let text = '';
      response
        .setEncoding('utf8')
        .on('data', (chunk) => {
          text += chunk;
        })
        .on('end', () => resolve({ status, headers, text }))
        .on('error', reject);
    })
      .on('error', reject)
      .end(body);
  });
}

// A function that carries out the action that its event names.
import { appendFileSync } from 'node:fs';

const actions = {
  describe: (_, context) => ({
    pid: process.pid,
    node: process.version,
    greeting: process.env.GREETING,
    endpoint: process.env.AWS_ENDPOINT_URL,
    remainingMs: context.getRemainingTimeInMillis(),
    requestId: context.awsRequestId,
    functionArn: context.invokedFunctionArn,
  }),
  print: ({ lines }) => {
    for (const line of lines) console.log(line);
    process.stdout.write('bare\n');
  },
  throw: () => {
    throw new RangeError('requested');
  },
  hang: ({ file }) => {
    if (file !== undefined) appendFileSync(file, 'started');
    return new Promise((resolve) => setTimeout(resolve, 3_600_000));
  },
  spin: ({ file }) => {
    if (file !== undefined) appendFileSync(file, 'started');
    for (;;);
  },
  exit: () => process.exit(3),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  reject: async () => {
    void Promise.reject(new Error('not handled'));
    await new Promise((resolve) => setTimeout(resolve, 3_600_000));
  },
  bigint: () => 1n,
};

export async function handler(event, context) {
  if (event.Records === undefined) return actions[event.do](event, context);
  for (const { body, attributes } of event.Records) {
    appendFileSync(body, `${attributes.ApproximateReceiveCount}\n`);
    if (attributes.ApproximateReceiveCount === '1') process.kill(process.pid, 'SIGKILL');
  }
}

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { type ReceivedMessage, scriptedProxy } from '../deliver/rocketmq/grpc/scripted-proxy.ts';

const OK = 20_000;
const NEVER = new Promise<number>(() => {});

async function proxy(react: (message: ReceivedMessage) => number | Promise<number>) {
  const started = await scriptedProxy(react);
  onTestFinished(() => started.close());
  return started;
}

it('the client of a proxy keeps no process alive after its close, whether its proxy answers, is mute or is away', async () => {
  const mute = await proxy(() => NEVER);
  const alive = await proxy(() => OK);
  const times = Object.entries({ [mute.endpoint]: 300, [alive.endpoint]: 10_000, '127.0.0.1:1': 300 });
  const code = `import { openGrpcProducer } from './lambdas/deliver/rocketmq/grpc/producer.ts';
    for (const [endpoint, timeoutMs] of ${JSON.stringify(times)}) {
      const producer = openGrpcProducer({ endpoints: [endpoint], timeoutMs });
      const [{ status }] = await producer.deliver(
        [{ topic: 'T', isTopicRendered: false, isTypeRendered: false, message: { body: Buffer.from('x') } }],
        { remainingMs: () => 60_000 },
      );
      console.log(status);
      producer.close();
    }`;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', code],
    { timeout: 25_000 },
  );
  expect([stdout, stderr]).toEqual(['retry\ndelivered\nretry\n', '']);
});

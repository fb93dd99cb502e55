// `npm run rocketmq -- 5` (or 4): runs RocketMQ without Docker, with a topic of each message type, until Ctrl-C.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install, isInstalled, rocketMqHome } from '../localstack/servers/rocketmq/install.mjs';
import { ready } from './ready.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const topics = {
  4: [{ name: 'TopicTest' }],
  5: [
    { name: 'TopicTest' },
    { name: 'FifoTest', type: 'FIFO' },
    { name: 'DelayTest', type: 'DELAY' },
    { name: 'TransactionTest', type: 'TRANSACTION' },
  ],
};
const version = Number(process.argv[2] ?? 5);
if (process.argv.length > 3 || !(version in topics)) {
  console.error(`version: got '${process.argv.slice(2).join(' ')}'; expected 5 or 4`);
  process.exit(2);
}
ready(root);
const { register } = await import('tsx/esm/api');
register();
const { startRocketMq } = await import('../localstack/servers/rocketmq/start.ts');

const interrupted = new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, resolve);
});
void interrupted.then(() => console.log('\nStopping …'));

try {
  if (!isInstalled(rocketMqHome)) install(rocketMqHome);
  console.log('Starting (about five seconds) …');
  const progress = (line) => console.log(line);
  // Brokers create topics by default, but not for messages that come through the proxy.
  const mq = await startRocketMq({
    home: rocketMqHome,
    version,
    topics: topics[version],
    autoCreateTopics: true,
    progress,
  });
  announce(mq);
  await interrupted;
  await mq.close();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
// After a failed start, the signal handlers would keep this process running.
process.exit();

function announce({ nameServer, broker, endpoints, folder }) {
  console.log(`
Ready, without access control and TLS.

  name server  ${nameServer}
  broker       ${broker}${endpoints ? `\n  endpoints    ${endpoints}  (proxy, gRPC)` : ''}
  topics       ${topics[version].map(({ name, type = 'NORMAL' }) => (version === 5 ? `${name} (${type})` : name)).join(', ')}
  logs         ${folder}/*.log

Ctrl-C stops it and removes all messages.`);
}

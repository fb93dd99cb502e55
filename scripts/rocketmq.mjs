// `npm run rocketmq -- 5` (or 4): RocketMQ without Docker, with a topic of each kind, until Ctrl-C.
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
  console.error(`'${process.argv.slice(2).join(' ')}' is no version of RocketMQ; expected 5 or 4`);
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
  console.log('Starting: some five seconds on an idle machine …');
  const progress = (line) => console.log(line);
  // As brokers are by default; through the proxy, topics have to be there all the same.
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
// Where the start has failed, signals would keep it.
process.exit();

function announce({ nameServer, broker, endpoints, folder }) {
  console.log(`
Ready, without access control or TLS.

  name server  ${nameServer}
  broker       ${broker}${endpoints ? `\n  endpoints    ${endpoints}  (proxy, gRPC)` : ''}
  topics       ${topics[version].map(({ name, type = 'NORMAL' }) => (version === 5 ? `${name} (${type})` : name)).join(', ')}
  logs         ${folder}/*.log

Ctrl-C stops it, and forgets what was sent.`);
}

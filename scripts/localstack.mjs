// `npm run localstack`: runs LocalStack until Ctrl-C, in Docker if an engine answers, else without.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { localStackHome } from '../localstack/docker-free/install.mjs';
import { node24 } from '../localstack/docker-free/node24.mjs';
import { parts } from '../localstack/setup-parts.mjs';
import { ready } from './ready.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values: options } = parseArgs({
  options: {
    docker: { type: 'boolean' },
    'docker-free': { type: 'boolean' },
    token: { type: 'boolean' },
    port: { type: 'string', default: '4566' },
  },
});
ready(root);
const { register } = await import('tsx/esm/api');
register();
const docker = await import('../localstack/docker/start.ts');

const port = Number(options.port);
const progress = (line) => console.log(line);
const interrupted = new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, resolve);
});
void interrupted.then(() => console.log('\nStopping …'));

try {
  const localStack = await start();
  announce(localStack.endpointUrl);
  await interrupted;
  await localStack.stop();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
// Sockets that fetch keeps open would delay the end.
process.exit();

async function start() {
  const hasDocker = !options['docker-free'] && (await docker.hasDocker());
  if ((options.docker || options.token) && !hasDocker)
    throw new Error(
      '--docker and --token need Docker with compose; no Docker engine answers. Start it, or leave the option out.',
    );
  if (hasDocker) {
    console.log('LocalStack in Docker; Lambda functions run in containers.');
    return docker.startLocalStack({ port, progress, edition: options.token ? 'token' : 'community' });
  }
  const why = options['docker-free'] ? '--docker-free' : 'no Docker engine with compose answers';
  console.log(`LocalStack without Docker (${why}); Lambda functions run as processes.`);
  for (const part of parts) {
    if (['node24', 'localstack'].includes(part.name) && !part.isReady()) part.install();
  }
  const { startLocalStack } = await import('../localstack/docker-free/start.ts');
  const logFile = join(localStackHome, 'localstack.log');
  console.log(`Starting; log in ${logFile}`);
  return startLocalStack({ home: localStackHome, node: node24, port, progress, logFile });
}

function announce(endpointUrl) {
  console.log(`
Ready at ${endpointUrl}. In another terminal:

  export AWS_ENDPOINT_URL=${endpointUrl} AWS_ENDPOINT_URL_S3=${endpointUrl}
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1

Ctrl-C stops it.`);
}

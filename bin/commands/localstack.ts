import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { hasDocker, startLocalStack as startInDocker } from '../../localstack/docker/start.ts';
import * as localStackParts from '../../localstack/docker-free/install.mjs';
import type { LocalStack } from '../../localstack/docker-free/localstack.ts';
import * as node24 from '../../localstack/docker-free/node24.mjs';
import { startLocalStack } from '../../localstack/docker-free/start.ts';
import { wholeNumber } from './operator.ts';
import { untilInterrupted } from './screen.ts';

interface LocalStackOptions {
  readonly docker?: boolean;
  readonly dockerFree?: boolean;
  readonly token?: boolean;
  readonly port: number;
  readonly cache: string;
}

/** `outflow localstack`: runs LocalStack until Ctrl-C. */
export function localStackCommand(): Command {
  return new Command('localstack')
    .description('Run LocalStack until Ctrl-C: in Docker if an engine with compose answers, else without')
    .option('--docker', 'only in Docker; fails if no engine answers')
    .addOption(
      new Option(
        '--docker-free',
        'without Docker, also if an engine answers: Lambda functions run as processes',
      ).conflicts(['docker', 'token']),
    )
    .option('--token', 'in Docker, a later version of LocalStack, which reads LOCALSTACK_AUTH_TOKEN')
    .option('-p, --port <port>', 'port on 127.0.0.1', wholeNumber(1, 65_535), 4566)
    .option('--cache <folder>', 'where LocalStack and Node.js 24 are installed for a run without Docker', cacheFolder())
    .action(async (options: LocalStackOptions) => {
      const interrupted = untilInterrupted();
      void interrupted.then(() => console.log('\nStopping … Ctrl-C again ends the process at once.'));
      const localStack = await start(options);
      console.log(`
Ready at ${localStack.endpointUrl}. In another terminal, in the folder of a CDK app:

  ${options.port === 4566 ? '' : `AWS_ENDPOINT_URL=${localStack.endpointUrl} `}npx outflow deploy-local

Ctrl-C stops it and deletes what was deployed.`);
      await interrupted;
      await localStack.stop();
      // Sockets that fetch keeps open would delay the end.
      process.exit();
    });
}

async function start({ docker, dockerFree, token, port, cache }: LocalStackOptions): Promise<LocalStack> {
  const progress = (line: string) => console.log(line);
  const isInDocker = dockerFree !== true && (await hasDocker());
  if ((docker || token) && !isInDocker)
    throw new Error(
      '--docker and --token need Docker with compose, and no Docker engine answers. Start one, or omit the option',
    );
  if (isInDocker) {
    console.log('LocalStack in Docker; Lambda functions run in containers.');
    return startInDocker({ port, progress, edition: token ? 'token' : 'community' });
  }
  const reason = dockerFree ? '--docker-free' : 'no Docker engine with compose answers';
  console.log(`LocalStack without Docker (${reason}); Lambda functions run as processes.`);
  const [home, node] = [join(cache, 'localstack'), join(cache, 'node24')];
  if (!node24.isInstalled(node)) node24.install(node);
  if (!localStackParts.isInstalled(home)) localStackParts.install(home);
  const logFile = join(home, 'localstack.log');
  console.log(`Starting; log in ${logFile}`);
  return startLocalStack({ home, node: node24.executable(node), port, progress, logFile });
}

/** A folder of the user, so that a new `node_modules` keeps the 700 MB. */
function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mqtt-outflow');
}

// `npm run deploy:local`: deploys the example app to a running LocalStack, and attaches the stand-in for AWS IoT Core.
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { LOCAL_CREDENTIALS } from '../../lambdas/deliver/sink.ts';
import { readAssembly } from '../one-process/assembly.ts';
import { REGION } from '../one-process/resolve.ts';
import { attach } from './attach.ts';
import { bootstrap, cdk, localEnvironment } from './cdk.ts';

const endpointUrl = process.env['AWS_ENDPOINT_URL'] ?? 'http://127.0.0.1:4566';
const client = new CloudFormationClient({
  endpoint: endpointUrl,
  region: REGION,
  credentials: LOCAL_CREDENTIALS,
  maxAttempts: 1,
});
const options = { endpointUrl, folder: process.cwd(), onLine: (line: string) => console.log(`  ${line}`) };

async function main(): Promise<void> {
  await checkIsRunning();
  if (!(await exists('CDKToolkit'))) {
    console.log('Bootstrapping the account (once) …');
    await bootstrap(options);
  }
  console.log('Deploying bin/app.ts …');
  await cdk(['deploy', '--all', '--require-approval', 'never', '--method', 'direct'], options);
  const stackNames = readAssembly('cdk.out')
    .filter(({ tasks }) => tasks.length > 0)
    .map(({ name }) => name);
  const { broker, tasks, stacks, close } = await attach({
    endpointUrl,
    stackNames,
    onError: (error) =>
      console.error(`  ${error.message}${error.cause === undefined ? '' : `: ${String(error.cause)}`}`),
  });
  console.log(
    `\nIoT Core   ${broker.url}  (the stand-in, because LocalStack accepts topic rules and does not run them)`,
  );
  for (const { task, filters } of tasks) console.log(`Task       ${task} from ${filters.join(', ')}`);
  for (const { stack } of stacks) console.log(`Stack      ${stack.name}`);
  console.log('\nTo use the AWS tools with it:');
  for (const [name, value] of Object.entries(localEnvironment(endpointUrl))) console.log(`  export ${name}=${value}`);
  const interrupted = new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  console.log('\nCtrl-C stops the stand-in. The stacks stay deployed until LocalStack stops.');
  await interrupted;
  await close();
}

async function checkIsRunning(): Promise<void> {
  try {
    await fetch(`${endpointUrl}/_localstack/health`);
  } catch (cause) {
    throw new Error(`LocalStack does not respond at ${endpointUrl}. Start it with \`npm run localstack\``, { cause });
  }
}

async function exists(stack: string): Promise<boolean> {
  try {
    await client.send(new DescribeStacksCommand({ StackName: stack }));
    return true;
  } catch (error) {
    if ((error as Error).name === 'ValidationError') return false;
    throw error;
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});

import { resolve } from 'node:path';
import { Command } from 'commander';
import { cdk, localEnvironment } from '../../localstack/deployed/cdk.ts';
import { readDeployment } from '../../localstack/deployed/deployment.ts';
import { assemblyOptions, type GivenAssemblyOptions, withAssemblyOptions } from './assembly-options.ts';
import { wholeNumber } from './operator.ts';
import { printable } from './printable.ts';
import { untilInterrupted } from './screen.ts';

interface DeployLocalOptions extends GivenAssemblyOptions {
  readonly app?: string;
  readonly port?: number;
  readonly endpoint: string;
}

const ASSEMBLY = 'cdk.out';

/** `outflow deploy-local`: deploys a CDK app to LocalStack, and runs its topic rules in this process. */
export function deployLocalCommand(): Command {
  return withAssemblyOptions(new Command('deploy-local'))
    .description('Deploy a CDK app to a running LocalStack, and run its topic rules behind an MQTT broker until Ctrl-C')
    .argument(
      '[assembly]',
      'a synthesized cloud assembly, such as cdk.out; without it, the app in this folder is synthesized',
    )
    .option('-a, --app <command>', 'the command that runs the app (default: that of cdk.json)')
    .option('-p, --port <port>', 'MQTT port on 127.0.0.1 (default: a free one)', wholeNumber(0, 65_535))
    .option(
      '--endpoint <url>',
      'LocalStack; the default is AWS_ENDPOINT_URL if that is set',
      process.env['AWS_ENDPOINT_URL'] ?? 'http://127.0.0.1:4566',
    )
    .action(async (given: string | undefined, options: DeployLocalOptions) => {
      const { app, endpoint: endpointUrl } = options;
      if (given !== undefined && app !== undefined)
        throw new Error(`--app: got '${app}' beside the assembly ${given}; expected one of them`);
      await checkIsRunning(endpointUrl);
      const folder = process.cwd();
      if (given === undefined) {
        console.log('Synthesizing the app in this folder …');
        // By the CDK command, so that its context look-ups go to LocalStack too.
        const command = app === undefined ? [] : ['--app', app];
        await cdk(['synth', '--quiet', '--output', ASSEMBLY, ...command], { endpointUrl, folder });
      }
      const assembly = resolve(given ?? ASSEMBLY);
      const { stackNames, environment, args } = readDeployment(assembly, assemblyOptions(options));

      // Loaded on demand, so that other commands start without the AWS clients.
      const { bootstrapOnce } = await import('../../localstack/deployed/bootstrap-once.ts');
      const { attach } = await import('../../localstack/deployed/attach.ts');
      console.log('Bootstrapping the account of LocalStack, unless that is done …');
      await bootstrapOnce({ endpointUrl, environment, folder });
      console.log(`Deploying ${stackNames.join(', ')} …`);
      await cdk(['deploy', ...args, '--app', assembly, '--require-approval', 'never', '--method', 'direct'], {
        endpointUrl,
        environment,
        folder,
        onLine: (line) => line.includes('_IN_PROGRESS') || console.log(`  ${line}`),
      });

      const failure = (text: string) => console.log(`  ${new Date().toISOString().slice(11, 19)}  ${printable(text)}`);
      const { broker, tasks, close } = await attach({
        endpointUrl,
        environment,
        stackNames,
        port: options.port,
        onError: ({ message, cause }) => failure(`${message}${cause === undefined ? '' : `: ${String(cause)}`}`),
        onDisconnect: (clientId, reason) => failure(`client ${clientId ?? 'without an id'} disconnected: ${reason}`),
      });
      console.log(`\nIoT Core   ${broker.url}  (the stand-in: LocalStack accepts topic rules and does not run them)`);
      for (const { task, filters } of tasks) console.log(`Task       ${task} from ${filters.join(', ')}`);
      console.log('\nFor `npx outflow status`, `npx outflow read` and the AWS tools, in another terminal:');
      for (const [name, value] of Object.entries(localEnvironment(endpointUrl, environment)))
        console.log(`  export ${name}=${value}`);
      const interrupted = untilInterrupted();
      console.log('\nCtrl-C stops the stand-in. The stacks stay deployed until LocalStack stops.');
      await interrupted;
      await close();
    });
}

async function checkIsRunning(endpointUrl: string): Promise<void> {
  try {
    await fetch(`${endpointUrl}/_localstack/health`);
  } catch (cause) {
    throw new Error(`LocalStack does not respond at ${endpointUrl}. Start it with \`npx outflow localstack\``, {
      cause,
    });
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { ACCOUNT, REGION } from '../one-process/resolve.ts';

/** Where stacks are deployed to. LocalStack has every account and Region. */
export interface Environment {
  readonly account: string;
  readonly region: string;
}

/** LocalStack's account for credentials that name none, and its Region. */
export const DEFAULT_ENVIRONMENT: Environment = { account: ACCOUNT, region: REGION };

export interface CdkOptions {
  /** Endpoint URL of LocalStack. */
  readonly endpointUrl: string;
  /** @default DEFAULT_ENVIRONMENT */
  readonly environment?: Environment;
  /** Folder of the CDK app. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line that the CDK command prints. */
  readonly onLine?: (line: string) => void;
}

const QUIET = {
  // On Node 20 the AWS SDK of the CDK command prints a deprecation warning.
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  // A deployment to this machine sends nothing to AWS, and works without a network.
  CDK_DISABLE_CLI_TELEMETRY: 'true',
};

/**
 * Runs the CDK command of an app against LocalStack.
 *
 * @throws when the app has no such command, or the command fails; the message has its output.
 */
export async function cdk(args: readonly string[], options: CdkOptions): Promise<void> {
  const { endpointUrl, environment, folder, env, onLine } = options;
  const child = spawn(process.execPath, [commandOf(folder), ...args, '--no-notices'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...withoutAws(process.env), ...QUIET, ...localEnvironment(endpointUrl, environment), ...env },
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      for (const line of text.split('\n')) if (line.trim() !== '') onLine?.(line);
    });
  }
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`cdk ${args.join(' ')} failed:\n${printed.trim()}`);
}

/** Bootstraps an account of LocalStack for `cdk deploy`. */
export async function bootstrap(options: CdkOptions): Promise<void> {
  const { account, region } = options.environment ?? DEFAULT_ENVIRONMENT;
  await cdk(['bootstrap', `aws://${account}/${region}`], options);
}

/** The environment variables with which AWS tools reach LocalStack, which reads the account from the access key. */
export function localEnvironment(
  endpointUrl: string,
  { account, region } = DEFAULT_ENVIRONMENT,
): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpointUrl,
    AWS_ENDPOINT_URL_S3: endpointUrl,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: account,
    AWS_SECRET_ACCESS_KEY: 'test',
  };
}

/** Leaves out profiles, roles and endpoints of the user, which would lead the CDK command to AWS. */
function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AWS_')));
}

function commandOf(folder: string): string {
  try {
    return createRequire(join(resolve(folder), 'package.json')).resolve('aws-cdk/bin/cdk');
  } catch (cause) {
    throw new Error(`${resolve(folder)} has no CDK command. Run \`npm install --save-dev aws-cdk\` there`, { cause });
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { ACCOUNT, REGION } from '../one-process/resolve.ts';

export interface CdkOptions {
  /** Endpoint URL of LocalStack. */
  readonly endpointUrl: string;
  /** Folder of the CDK app. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line that the CDK command prints. */
  readonly onLine?: (line: string) => void;
}

/** Runs the project's CDK command against LocalStack. @throws when the command fails; the message has its output. */
export async function cdk(args: readonly string[], { endpointUrl, folder, env, onLine }: CdkOptions): Promise<void> {
  const command = createRequire(import.meta.url).resolve('aws-cdk/bin/cdk');
  const child = spawn(process.execPath, [command, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...localEnvironment(endpointUrl), ...env },
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

/** Bootstraps LocalStack's account for `cdk deploy`. */
export async function bootstrap(options: CdkOptions): Promise<void> {
  await cdk(['bootstrap', `aws://${ACCOUNT}/${REGION}`], options);
}

/** The environment variables with which AWS tools reach LocalStack. */
export function localEnvironment(endpointUrl: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpointUrl,
    AWS_ENDPOINT_URL_S3: endpointUrl,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  };
}

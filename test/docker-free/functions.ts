import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateFunctionCommand,
  InvokeCommand,
  LambdaClient,
  type LambdaClientConfig,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { localStackHome } from '../../localstack/cache.mjs';

/** The configuration of all clients of a LocalStack. */
export function clientConfig(endpoint: string) {
  return {
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  } satisfies LambdaClientConfig;
}

export interface Invoked {
  /** The response of `misbehaving.mjs`, or its error object. */
  readonly payload: {
    readonly pid: number;
    readonly requestId: string;
    readonly remainingMs: number;
    readonly errorType: string;
  };
  readonly functionError: string | undefined;
}

/** The functions of one LocalStack. */
export class Functions {
  readonly #client: LambdaClient;

  constructor(endpoint: string) {
    // A retry would invoke the function twice.
    this.#client = new LambdaClient({ ...clientConfig(endpoint), maxAttempts: 1 });
  }

  /** Creates a function with the code of its `index.mjs`. */
  async create(
    name: string,
    code: string,
    timeout: number,
    { variables = {}, logGroup }: { variables?: Record<string, string>; logGroup?: string } = {},
  ): Promise<void> {
    await this.#client.send(
      new CreateFunctionCommand({
        FunctionName: name,
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: 'arn:aws:iam::000000000000:role/function',
        Code: { ZipFile: zip(code) },
        Timeout: timeout,
        Environment: { Variables: variables },
        LoggingConfig: { LogGroup: logGroup },
      }),
    );
    await waitUntilFunctionActiveV2({ client: this.#client, maxWaitTime: 60, minDelay: 1 }, { FunctionName: name });
  }

  async invoke(name: string, event: object): Promise<Invoked> {
    const { Payload, FunctionError } = await this.#client.send(
      new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) }),
    );
    return { payload: JSON.parse(Buffer.from(Payload!).toString()), functionError: FunctionError };
  }
}

function zip(code: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'outflow-'));
  writeFileSync(join(folder, 'index.mjs'), code);
  execFileSync(join(localStackHome, 'venv/bin/python'), ['-m', 'zipfile', '-c', 'code.zip', 'index.mjs'], {
    cwd: folder,
  });
  const bytes = readFileSync(join(folder, 'code.zip'));
  rmSync(folder, { recursive: true });
  return bytes;
}

/** Whether the process is running. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { App, Stack } from 'aws-cdk-lib';
import type { SQSBatchResponse } from 'aws-lambda';
import { OutflowTask, type OutflowTaskProps } from '../../lib/index.ts';
import { sqsEvent } from '../support/messages.ts';
import { ofType, type Resource, type Resources, referred } from './declared.ts';

/** Output of an invocation. */
export interface Invocation {
  /** Each line that the function printed. */
  readonly lines: readonly string[];
  readonly answer: SQSBatchResponse;
  /** The messages that it sent to queues, with attributes. */
  readonly queued: readonly { readonly queueUrl: string; readonly entry: QueueEntry }[];
}

interface QueueEntry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly MessageAttributes?: Readonly<Record<string, { readonly StringValue: string }>>;
}

export interface Answers {
  /** Error of a record by its data; undefined takes it. */
  readonly kinesis: (data: string) => string | undefined;
  /** Error of a message to a queue by its body; undefined takes it. */
  readonly queue: (body: string) => string | undefined;
}

/** A task's assembly, and a function that invokes its worker against scripted services. */
export function deployable(props: OutflowTaskProps): {
  directory: string;
  invoke(bodies: readonly string[], answers: Answers, env?: Record<string, string>): Promise<Invocation>;
} {
  const app = new App();
  new OutflowTask(new Stack(app, 'Test'), 'Task', props);
  const assembly = app.synth();
  const resources: Resources = assembly.getStackByName('Test').template.Resources;
  const [, worker] = ofType(resources, 'AWS::Lambda::Function').find(
    ([, { Properties }]) => Properties.Environment?.Variables.TARGET_ARN !== undefined,
  )!;
  const asset = join(assembly.directory, `asset.${worker.Properties.Code.S3Key.replace('.zip', '')}`);
  return {
    directory: assembly.directory,
    async invoke(bodies, answers, env = {}) {
      const code = mkdtempSync(join(tmpdir(), 'outflow-'));
      cpSync(asset, code, { recursive: true });
      const services = await startServices(answers);
      try {
        const child = spawn(process.execPath, ['test/support/invoke.mjs', join(code, 'index.mjs')], {
          stdio: ['pipe', 'pipe', 'pipe'],
          env: {
            NODE_NO_WARNINGS: '1', // The Node of this machine warns; Lambda's does not.
            AWS_REGION: 'us-east-1',
            AWS_ACCESS_KEY_ID: 'local',
            AWS_SECRET_ACCESS_KEY: 'local',
            AWS_ENDPOINT_URL: services.url,
            ...variables(worker, services.url),
            ...env,
          },
        });
        child.stdin.end(JSON.stringify(sqsEvent(bodies)));
        const [printed, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
        const lines = printed.trimEnd().split('\n');
        const { answer } = JSON.parse(lines.pop() ?? '{}');
        return {
          lines: [...lines, ...errors.split('\n').filter((line) => line !== '')],
          answer,
          queued: services.queued,
        };
      } finally {
        await services.close();
        rmSync(code, { recursive: true });
      }
    },
  };
}

// Values that only a deployment knows are made up from the resources that they refer to.
function variables({ Properties }: Resource, url: string): Record<string, string> {
  const given: [string, unknown][] = Object.entries(Properties.Environment.Variables);
  return Object.fromEntries(
    given.map(([name, value]) => {
      if (typeof value === 'string') return [name, value];
      return [name, name.endsWith('_URL') ? `${url}/000000000000/${referred(value)}` : `arn:aws:test:::${name}`];
    }),
  );
}

async function startServices({ kinesis, queue }: Answers) {
  const queued: { queueUrl: string; entry: QueueEntry }[] = [];
  const answer = async (request: IncomingMessage): Promise<object> => {
    const target = String(request.headers['x-amz-target']);
    const input = (await json(request)) as {
      Records?: { Data: string }[];
      QueueUrl?: string;
      Entries?: QueueEntry[];
    };
    if (target.endsWith('.PutRecords')) {
      const records = input.Records!.map(({ Data }, i) => {
        const error = kinesis(Buffer.from(Data, 'base64').toString());
        return error === undefined
          ? { SequenceNumber: String(i), ShardId: 'shardId-000000000000' }
          : { ErrorCode: 'InternalFailure', ErrorMessage: error };
      });
      return { Records: records, FailedRecordCount: records.filter(({ ErrorCode }) => ErrorCode).length };
    }
    if (!target.endsWith('.SendMessageBatch')) return {};
    const [Successful, Failed]: object[][] = [[], []];
    for (const entry of input.Entries!) {
      queued.push({ queueUrl: input.QueueUrl!, entry });
      const { Id, MessageBody } = entry;
      const error = queue(MessageBody);
      const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex');
      if (error === undefined) Successful!.push({ Id, MessageId: Id, MD5OfMessageBody });
      else Failed!.push({ Id, Code: 'InternalError', Message: error, SenderFault: false });
    }
    return { Successful, Failed };
  };
  const server = createServer((request, response) => {
    // An open connection would keep the function's process from ending.
    response.setHeader('connection', 'close');
    answer(request).then(
      (output) => response.setHeader('content-type', 'application/x-amz-json-1.1').end(JSON.stringify(output)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    queued,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

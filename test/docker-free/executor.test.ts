import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateEventSourceMappingCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { localStackHome, node24 } from '../../localstack/cache.mjs';
import { type LocalStackProcess, startLocalStack } from '../../localstack/docker-free/start.ts';
import { isMissing } from '../support/setup-parts.ts';
import { clientConfig, Functions, isRunning } from './functions.ts';

const MISBEHAVING = readFileSync(new URL('./misbehaving.mjs', import.meta.url), 'utf8');
const PATIENCE = { timeout: 60_000, interval: 100 };

describe.skipIf(isMissing('localstack') || isMissing('node24'))(
  'a function on LocalStack without Docker',
  {
    timeout: 120_000,
  },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'outflow-'));
    let localStack: LocalStackProcess;
    let functions: Functions;
    const describeProcess = (name: string) => functions.invoke(name, { do: 'describe' });
    beforeAll(async () => {
      localStack = await startLocalStack({ home: localStackHome, node: node24 });
      functions = new Functions(localStack.endpointUrl);
      await functions.create('patient', MISBEHAVING, 60, { variables: { GREETING: 'good day' } });
      await functions.create('hasty', MISBEHAVING, 2);
    }, 300_000);
    afterAll(async () => {
      await localStack?.stop();
      rmSync(folder, { recursive: true });
    }, 60_000);

    it('runs under Lambda’s Node, with its environment and context', async () => {
      const { payload, functionError } = await describeProcess('patient');
      expect(functionError).toBeUndefined();
      expect(payload).toMatchObject({
        node: expect.stringMatching(/^v24\./),
        greeting: 'good day',
        endpoint: localStack.endpointUrl,
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:patient',
      });
      expect(payload.remainingMs).toBeGreaterThan(0);
      expect(payload.remainingMs).toBeLessThanOrEqual(60_000);
    });

    it('keeps its process between invocations, also after an error', async () => {
      const { payload: before } = await describeProcess('patient');
      expect(await functions.invoke('patient', { do: 'throw' })).toEqual({
        functionError: 'Unhandled',
        payload: { errorType: 'RangeError', errorMessage: 'requested', trace: expect.any(Array) },
      });
      const { payload: after } = await describeProcess('patient');
      expect(after.pid).toBe(before.pid);
      expect(after.requestId).not.toBe(before.requestId);
    });

    it('fails when its response is not JSON', async () => {
      expect(await functions.invoke('patient', { do: 'bigint' })).toMatchObject({
        functionError: 'Unhandled',
        payload: { errorType: 'Runtime.MarshalError' },
      });
    });

    it.each([
      ['times out', 'hasty', 'hang', 'Sandbox.Timedout', 'Task timed out after 2.00 seconds'],
      ['blocks its event loop', 'hasty', 'spin', 'Sandbox.Timedout', 'Task timed out after 2.00 seconds'],
      ['exits', 'patient', 'exit', 'Runtime.ExitError', 'exit status 3'],
      ['is killed', 'patient', 'kill', 'Runtime.ExitError', 'signal: killed'],
      ['has an unhandled rejection', 'patient', 'reject', 'Runtime.UnhandledPromiseRejection', 'not handled'],
    ])(
      'that %s fails, and its next invocation succeeds in another process',
      async (_, name, action, errorType, message) => {
        const { payload: before } = await describeProcess(name);
        expect(await functions.invoke(name, { do: action })).toEqual({
          functionError: 'Unhandled',
          payload: expect.objectContaining({ errorType, errorMessage: expect.stringContaining(message) }),
        });
        const { payload: after, functionError } = await describeProcess(name);
        expect(functionError).toBeUndefined();
        expect(after.pid).not.toBe(before.pid);
        expect(isRunning(before.pid)).toBe(false);
      },
    );

    it('whose process is killed during an invocation fails, and its next invocation succeeds', async () => {
      const file = join(folder, 'killed');
      const { payload: before } = await describeProcess('patient');
      const invoked = functions.invoke('patient', { do: 'hang', file });
      await vi.waitUntil(() => existsSync(file), PATIENCE);
      process.kill(before.pid, 'SIGKILL');
      expect(await invoked).toMatchObject({ functionError: 'Unhandled', payload: { errorType: 'Runtime.ExitError' } });
      expect((await describeProcess('patient')).functionError).toBeUndefined();
    });

    it('that crashes on a batch receives it again from the queue', async () => {
      const file = join(folder, 'batch');
      const sqs = new SQSClient(clientConfig(localStack.endpointUrl));
      const { QueueUrl } = await sqs.send(
        new CreateQueueCommand({ QueueName: 'batches', Attributes: { VisibilityTimeout: '2' } }),
      );
      const attributes = async () => {
        return (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes!;
      };
      await new LambdaClient(clientConfig(localStack.endpointUrl)).send(
        new CreateEventSourceMappingCommand({
          FunctionName: 'hasty',
          EventSourceArn: (await attributes())['QueueArn'],
          MaximumBatchingWindowInSeconds: 1,
        }),
      );
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: file }));
      await vi.waitUntil(() => existsSync(file) && readFileSync(file, 'utf8').startsWith('1\n2\n'), PATIENCE);
      await vi.waitUntil(async () => {
        const { ApproximateNumberOfMessages: visible, ApproximateNumberOfMessagesNotVisible: inFlight } =
          await attributes();
        return visible === '0' && inFlight === '0';
      }, PATIENCE);
    });

    it('that cannot be loaded reports the reason at each invocation', async () => {
      await functions.create('broken', "throw new TypeError('not today')", 10);
      const failure = { functionError: 'Unhandled', payload: { errorType: 'TypeError', errorMessage: 'not today' } };
      expect(await functions.invoke('broken', {})).toMatchObject(failure);
      expect(await functions.invoke('broken', {})).toMatchObject(failure);
      await functions.create('empty', 'export const other = 1;', 10);
      expect((await functions.invoke('empty', {})).payload.errorType).toBe('Runtime.HandlerNotFound');
      await vi.waitFor(
        async () => expect((await logOf('/aws/lambda/broken')).join('')).toContain('not today'),
        PATIENCE,
      );
    });

    it('logs to its configured log group, between the lines of the platform', async () => {
      await functions.create('talkative', MISBEHAVING, 10, { logGroup: 'configured' });
      // Longer than the buffer of a pipe.
      const long = 'x'.repeat(100_000);
      await functions.invoke('talkative', { do: 'print', lines: ['one', long, 'two\nlines'] });
      await functions.invoke('talkative', { do: 'exit' });
      const lines = await vi.waitFor(async () => {
        const found = await logOf('configured');
        expect(found.filter((line) => line.startsWith('REPORT'))).toHaveLength(2);
        return found;
      }, PATIENCE);
      const id = '[0-9a-f-]{36}';
      const expected = [
        `^START RequestId: ${id} Version: \\$LATEST\n$`,
        `^\\S+Z\t${id}\tINFO\tone\n$`,
        `^\\S+Z\t${id}\tINFO\tx{100000}\n$`,
        `^\\S+Z\t${id}\tINFO\ttwo\rlines\n$`,
        '^bare\n$',
        `^END RequestId: ${id}\n$`,
        `^REPORT RequestId: ${id}\tDuration: .* ms\tBilled Duration: .*\tMemory Size: 128 MB\tInit Duration: `,
        `^START RequestId: ${id} `,
        `^END RequestId: ${id}\n$`,
        '^REPORT .*\tStatus: error\tError Type: Runtime.ExitError\n$',
      ];
      expect(lines).toEqual(expected.map((pattern) => expect.stringMatching(new RegExp(pattern))));
    });

    async function logOf(logGroupName: string): Promise<string[]> {
      const logs = new CloudWatchLogsClient(clientConfig(localStack.endpointUrl));
      const { events = [] } = await logs.send(new FilterLogEventsCommand({ logGroupName }));
      return events.map(({ message }) => message!);
    }
  },
);

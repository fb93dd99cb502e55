import { randomUUID } from 'node:crypto';
import { appendFileSync, cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeStackResourcesCommand } from '@aws-sdk/client-cloudformation';
import { GetRecordsCommand, GetShardIteratorCommand, ListStreamsCommand } from '@aws-sdk/client-kinesis';
import { ListEventSourceMappingsCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ListQueuesCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { labelledState, readState, UNWRITTEN_STATE } from '../../lambdas/core/task-state.ts';
import { localStackHome, node24 } from '../../localstack/cache.mjs';
import { type Attached, attach } from '../../localstack/deployed/attach.ts';
import { bootstrap, cdk } from '../../localstack/deployed/cdk.ts';
import { type LocalStackProcess, startLocalStack } from '../../localstack/docker-free/start.ts';
import { type Clients, clientsOf, functionPids, logOf, outputsOf, takeMessage } from '../support/deployed.ts';
import { readRecords } from '../support/kinesis.ts';
import { isMissing } from '../support/setup-parts.ts';

const STACK = 'OutflowTest';
const PATIENCE = { timeout: 90_000, interval: 500 };

// LocalStack's poller prints JSON bodies anew, its throughput is low, and it may repeat messages: what is asserted is
// that messages arrive, by their numbers, and why others do not.
describe.skipIf(isMissing('localstack') || isMissing('node24'))('deployed to LocalStack', { timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'outflow-deployed-'));
  const app = join(folder, 'test/support/deployed-app');
  let localStack: LocalStackProcess;
  let clients: Clients;
  let outputs: Record<string, string>;
  let attached: Attached;
  let device: mqtt.MqttClient;
  const errors: Error[] = [];

  const deploy = (env: Record<string, string> = {}) =>
    cdk(['deploy', '--require-approval', 'never', '--method', 'direct'], {
      endpointUrl: localStack.endpointUrl,
      folder: app,
      env,
    });

  beforeAll(async () => {
    // A copy, in which the bundle can be changed.
    for (const part of [
      'package.json',
      'tsconfig.json',
      'lib',
      'lambdas',
      'dist/bundles',
      'test/support/deployed-app',
    ]) {
      cpSync(part, join(folder, part), { recursive: true, filter: (source) => !source.endsWith('cdk.out') });
    }
    symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
    appendFileSync(join(folder, 'dist/bundles/kinesis/index.mjs'), '\nconsole.log("a visible string");\n');
    localStack = await startLocalStack({ home: localStackHome, node: node24 });
    clients = clientsOf(localStack.endpointUrl);
    await bootstrap({ endpointUrl: localStack.endpointUrl, folder: app });
    await deploy();
    outputs = await outputsOf(clients, STACK);
    // A visibility timeout of six minutes suits a function that may take one; the test does not wait for it.
    for (const queue of ['WarmQueue', 'HelloQueue']) {
      await clients.sqs.send(
        new SetQueueAttributesCommand({ QueueUrl: outputs[queue], Attributes: { VisibilityTimeout: '10' } }),
      );
    }
    attached = await attach({
      endpointUrl: localStack.endpointUrl,
      stackNames: [STACK],
      onError: (error) => errors.push(error),
    });
    device = await mqtt.connectAsync(attached.broker.url, { clientId: 'd1', protocolVersion: 5 });
  }, 300_000);

  afterAll(async () => {
    await device?.endAsync();
    await attached?.close();
    await localStack?.stop();
    rmSync(folder, { recursive: true });
    expect(errors).toEqual([]);
  }, 60_000);

  const publish = (payload: object) => device.publishAsync('devices/d1/telemetry', JSON.stringify(payload), { qos: 1 });
  const numbers = async () => {
    const records = await readRecords({ client: clients.kinesis }, outputs['StreamName']!);
    return records
      .map(({ data }) => data.toString())
      .filter((text) => text.startsWith('{"a":'))
      .map((text) => JSON.parse(text));
  };
  const arrived = async (wanted: readonly number[]) => {
    const missing = new Set(wanted);
    await vi.waitUntil(async () => {
      for (const { n } of await numbers()) missing.delete(n);
      return missing.size === 0;
    }, PATIENCE);
  };

  /** What the worker of Warm has logged of its batches. */
  const reports = async (): Promise<Record<'received' | 'filtered' | 'failed', number>[]> => {
    const lines = await logOf(clients, outputs['WarmWorker']!);
    // The runtime puts a time and a request id before what a function prints.
    return lines.filter((line) => line.includes('"received"')).map((line) => JSON.parse(line.slice(line.indexOf('{'))));
  };

  it('does the walk-through of EMQX’s Kinesis document, by its calls (E24–E26)', async () => {
    const { kinesis } = clients;
    const shard = {
      StreamName: outputs['StreamName'],
      ShardId: 'shardId-000000000000',
      ShardIteratorType: 'LATEST',
    } as const;
    let { ShardIterator: iterator } = await kinesis.send(new GetShardIteratorCommand(shard));
    const emqx = await mqtt.connectAsync(attached.broker.url, { clientId: 'emqx_c' });
    await emqx.publishAsync('t/my_topic', '{ "msg": "hello Amazon Kinesis" }', { qos: 1 });
    await emqx.endAsync();
    const record = await vi.waitUntil(async () => {
      const answer = await kinesis.send(new GetRecordsCommand({ ShardIterator: iterator }));
      iterator = answer.NextShardIterator;
      return answer.Records?.[0];
    }, PATIENCE);
    expect(Buffer.from(record.Data!).toString()).toBe('{ "msg": "hello Amazon Kinesis" }');
    expect(record.PartitionKey).toBe('key');
  });

  it('delivers what the filter lets through, and counts the rest', async () => {
    await Promise.all([21, 19, 25, 18, 30].map((temp, n) => publish({ n, temp })));
    await arrived([0, 2, 4]);
    const delivered = (await numbers()).map(({ n }) => n);
    expect(delivered.filter((n) => n === 1 || n === 3)).toEqual([]);
    await vi.waitUntil(async () => (await reports()).reduce((sum, { filtered }) => sum + filtered, 0) >= 2, PATIENCE);
  });

  it('keeps a client’s messages in their order, with a stream as buffer (E5)', async () => {
    const texts = Array.from({ length: 30 }, (_, n) => `ordered ${n}`);
    // One after the other: what is published at once reaches the stream in any order, here as on AWS.
    for (const text of texts) await device.publishAsync('ordered/d1', text, { qos: 1 });
    const seen = async () =>
      (await readRecords({ client: clients.kinesis }, outputs['StreamName']!))
        .map(({ data }) => data.toString())
        .filter((text) => text.startsWith('ordered'));
    await vi.waitUntil(async () => new Set(await seen()).size === texts.length, PATIENCE);
    expect([...new Set(await seen())]).toEqual(texts);
  });

  it('republishes to the stand-in', async () => {
    const received = new Promise((resolve) =>
      device.once('message', (topic, payload) => resolve([topic, payload.toString()])),
    );
    await device.subscribeAsync('sub/#', { qos: 1 });
    await device.publishAsync('echo/1', '{"temp": 55,"hum": 32}', { qos: 1 });
    expect(await received).toEqual(['sub/echo/1', '{"temp": 55,"hum": 32}']);
  });

  it('runs the very bundle that was built', async () => {
    await vi.waitUntil(
      async () => (await logOf(clients, outputs['WarmWorker']!)).some((line) => line.includes('a visible string')),
      PATIENCE,
    );
  });

  it('dead-letters a poison message with its reason', async () => {
    await device.publishAsync('devices/d1/telemetry', '{"n":', { qos: 1 });
    const dlqMessage = await vi.waitUntil(() => takeMessage(clients, outputs['WarmDeadLetterQueue']!), PATIENCE);
    const attributes = Object.fromEntries(
      Object.entries(dlqMessage.MessageAttributes!).map(([name, { StringValue }]) => [name, StringValue]),
    );
    expect(Object.keys(attributes)).toHaveLength(10);
    expect(attributes).toMatchObject({
      ERROR_CODE: 'INVALID_PAYLOAD',
      STAGE: 'filter',
      TASK: 'Warm',
      RETRY_ATTEMPTS: '0',
    });
    expect(attributes['TARGET_ARN']).toContain(outputs['StreamName']);
    expect(Buffer.from(JSON.parse(dlqMessage.Body!).payload, 'base64').toString()).toBe('{"n":');
    expect(attributes['MESSAGE_ID']).toBe(JSON.parse(dlqMessage.Body!).id);
  });

  it('has only what failed delivered again', async () => {
    // With neither queue to put it on, a message that cannot be delivered stays where it is.
    const away = [outputs['WarmDeadLetterQueue']!, outputs['WarmRetryQueue']!];
    for (const QueueUrl of away) await clients.sqs.send(new DeleteQueueCommand({ QueueUrl }));
    await Promise.all([
      publish({ n: 100, temp: 21 }),
      device.publishAsync('devices/d1/telemetry', '{"poison":', { qos: 1 }),
      publish({ n: 101, temp: 22 }),
    ]);
    await arrived([100, 101]);
    const failures = async () => (await reports()).filter(({ failed }) => failed > 0);
    await vi.waitUntil(async () => (await failures()).length >= 2, PATIENCE);
    // Alone the second time: what was delivered with it the first time did not come back.
    expect((await failures()).slice(1).every(({ received, failed }) => received === 1 && failed === 1)).toBe(true);
    for (const QueueUrl of away)
      await clients.sqs.send(new CreateQueueCommand({ QueueName: QueueUrl.split('/').at(-1) }));
    const dlqMessage = await vi.waitUntil(() => takeMessage(clients, away[0]!), PATIENCE);
    expect(dlqMessage.MessageAttributes!['ERROR_CODE']!.StringValue).toBe('INVALID_PAYLOAD');
    const delivered = (await numbers()).map(({ n }) => n);
    expect(delivered.filter((n) => n === 100 || n === 101).sort()).toEqual([100, 101]);
  });

  const inFlight = async () => {
    const AttributeNames = ['ApproximateNumberOfMessagesNotVisible' as const];
    const { Attributes } = await clients.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: outputs['WarmQueue'], AttributeNames }),
    );
    return Number(Attributes!['ApproximateNumberOfMessagesNotVisible']);
  };

  it('loses nothing when its function is killed in the middle of a batch', async () => {
    const wanted = Array.from({ length: 150 }, (_, i) => 1000 + i);
    const publishing = (async () => {
      for (const n of wanted) await publish({ n, temp: 30 });
    })();
    for (let killed = 0; killed < 4; ) {
      await vi.waitUntil(async () => (await inFlight()) > 0 && functionPids(localStack).length > 0, {
        ...PATIENCE,
        interval: 20,
      });
      for (const pid of functionPids(localStack)) {
        process.kill(pid, 'SIGKILL');
        killed++;
      }
    }
    await publishing;
    await arrived(wanted);
  });

  it('loses nothing when it is deployed anew under traffic, and mixes no two versions in a record', async () => {
    const sent: number[] = [];
    let isDeployed = false;
    const traffic = (async () => {
      for (let n = 2000; !isDeployed || sent.length < 60; n++) {
        await publish({ n, temp: 30 });
        sent.push(n);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    await deploy({ VERSION: 'v2' });
    isDeployed = true;
    await traffic;
    await publish({ n: 9999, temp: 30 });
    await arrived([...sent, 9999]);
    const records = await numbers();
    expect(records.filter(({ a, b }) => a !== b)).toEqual([]);
    expect(records.find(({ n }) => n === 9999)).toEqual({ a: 'v2', n: 9999, b: 'v2' });
  });

  it('stays paused when CloudFormation writes the parameter of its state again', async () => {
    const { lambda, sqs, ssm } = clients;
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}));
    const QueueUrl = QueueUrls.find((url) => url.includes('OutflowControl'));
    const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
    const control = Functions.find(({ FunctionName }) => FunctionName!.includes('OutflowControl'))!.FunctionName!;
    const request = (kind: string) =>
      sqs.send(
        new SendMessageCommand({
          QueueUrl,
          MessageBody: JSON.stringify({ kind, task: 'Warm' }),
          MessageGroupId: 'Warm',
          MessageDeduplicationId: randomUUID(),
        }),
      );
    const carriedOut = async (kind: string, status: string) =>
      vi.waitUntil(async () => {
        const lines = await logOf(clients, control);
        const isIt = (line: string) => line.includes(`"request":"${kind}"`) && line.includes(`"status":"${status}"`);
        return lines.some((line) => line.includes('"task":"Warm"') && isIt(line));
      }, PATIENCE);
    const { StackResources = [] } = await clients.cloudFormation.send(
      new DescribeStackResourcesCommand({ StackName: STACK }),
    );
    const state = StackResources.find(({ LogicalResourceId }) => LogicalResourceId!.startsWith('WarmState'))!;
    const read = async (Name: string) => (await ssm.send(new GetParameterCommand({ Name }))).Parameter!.Value!;

    await request('pause');
    await carriedOut('pause', 'Paused');
    // As CloudFormation does on AWS when a tag of the stack changes; LocalStack does not pass these tags on.
    const Name = state.PhysicalResourceId!;
    await ssm.send(new PutParameterCommand({ Name, Value: UNWRITTEN_STATE, Overwrite: true }));
    await request('reconcile');
    await carriedOut('reconcile', 'Paused');
    expect(await read(Name)).toBe(UNWRITTEN_STATE);
    expect(readState(await read(labelledState(Name))).desired).toBe('Paused');
    await request('enable');
    await vi.waitUntil(async () => readState(await read(labelledState(Name))).desired === 'Running', PATIENCE);
  });

  it('leaves nothing but what it retains when it is destroyed', async () => {
    await cdk(['destroy', '--force'], { endpointUrl: localStack.endpointUrl, folder: app });
    const { lambda, sqs, kinesis } = clients;
    const { Functions } = await lambda.send(new ListFunctionsCommand({}));
    const { StreamNames } = await kinesis.send(new ListStreamsCommand({}));
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}));
    expect({ Functions, StreamNames }).toEqual({
      Functions: [],
      StreamNames: [],
    });
    // Mappings take their time to go.
    await vi.waitUntil(async () => {
      const { EventSourceMappings = [] } = await lambda.send(new ListEventSourceMappingsCommand({}));
      return EventSourceMappings.length === 0;
    }, PATIENCE);
    // The task Warm keeps its queues; Hello does not.
    expect(QueueUrls.sort()).toEqual(
      ['WarmDeadLetterQueue', 'WarmQueue', 'WarmRetryQueue'].map((name) => outputs[name]).sort(),
    );
  });
});

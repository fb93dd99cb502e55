import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteStreamCommand, ListStreamsCommand } from '@aws-sdk/client-kinesis';
import { PurgeQueueCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { awsCloud } from '../../bin/cloud/aws.ts';
import type { Cloud, TaskReport } from '../../bin/cloud/cloud.ts';
import { localStackHome, node24 } from '../../localstack/cache.mjs';
import { type Attached, attach } from '../../localstack/deployed/attach.ts';
import { bootstrap, cdk, localEnvironment } from '../../localstack/deployed/cdk.ts';
import { type LocalStackProcess, startLocalStack } from '../../localstack/docker-free/start.ts';
import { connectKinesis } from '../../localstack/one-process/kinesis.ts';
import { type CloudUnderTest, cloudContract, command } from '../cloud/contract.ts';
import { type Clients, clientsOf, outputsOf } from '../support/deployed.ts';
import { readRecords } from '../support/kinesis.ts';
import { envelope } from '../support/messages.ts';
import { isMissing } from '../support/setup-parts.ts';

const STACK = 'OutflowTest';
const PATIENCE = { timeout: 120_000, interval: 500 };

describe.skipIf(isMissing('localstack') || isMissing('node24'))(
  'tasks deployed to LocalStack, operated',
  { timeout: 240_000 },
  () => {
    const assembly = mkdtempSync(join(tmpdir(), 'outflow-operated-'));
    let localStack: LocalStackProcess;
    let clients: Clients;
    let outputs: Record<string, string>;
    let attached: Attached;
    let device: mqtt.MqttClient;
    let cloud: Cloud;
    let under: CloudUnderTest;

    const folder = 'test/support/deployed-app';
    const deploy = (TASKS: string) =>
      cdk(['deploy', '--require-approval', 'never', '--method', 'direct', '--output', assembly], {
        endpointUrl: localStack.endpointUrl,
        folder,
        env: { TASKS },
      });

    beforeAll(async () => {
      localStack = await startLocalStack({ home: localStackHome, node: node24 });
      const { endpointUrl } = localStack;
      clients = clientsOf(endpointUrl);
      await bootstrap({ endpointUrl, folder });
      await deploy('Careful,Old');
      outputs = await outputsOf(clients, STACK);
      for (const [name, value] of Object.entries(localEnvironment(endpointUrl))) vi.stubEnv(name, value);
      attached = await attach({ endpointUrl, stackNames: [STACK], onError: (error) => console.error(error) });
      device = await mqtt.connectAsync(attached.broker.url, { clientId: 'd1', protocolVersion: 5 });
      cloud = awsCloud({ stackNames: [STACK], onNote: (note) => console.error(note) });
      const { kinesis, sqs } = clients;
      const stream = outputs['StreamName']!;
      under = {
        cloud,
        publish: (payload) => device.publishAsync('devices/d1/telemetry', payload, { qos: 1 }),
        async delivered() {
          const records = await readRecords({ client: kinesis }, stream);
          return records.map(({ data }) => JSON.parse(data.toString()).n);
        },
        async deleteStream() {
          await kinesis.send(new DeleteStreamCommand({ StreamName: stream }));
          await vi.waitUntil(
            async () => !(await kinesis.send(new ListStreamsCommand({}))).StreamNames!.includes(stream),
            PATIENCE,
          );
        },
        createStream: () => connectKinesis(endpointUrl).createStream(stream),
        async sendDeadLetter(body, attributes) {
          const typed = Object.entries(attributes).map(([name, StringValue]) => {
            return [name, { DataType: 'String', StringValue }] as const;
          });
          await sqs.send(
            new SendMessageCommand({
              QueueUrl: outputs['WarmDeadLetterQueue'],
              MessageBody: body,
              MessageAttributes: Object.fromEntries(typed),
            }),
          );
        },
        async purgeDeadLetters() {
          await sqs.send(new PurgeQueueCommand({ QueueUrl: outputs['WarmDeadLetterQueue'] }));
        },
      };
    }, 300_000);

    afterAll(async () => {
      await device?.endAsync();
      await attached?.close();
      cloud?.close();
      await localStack?.stop();
      vi.unstubAllEnvs();
      rmSync(assembly, { recursive: true });
    }, 60_000);

    cloudContract(() => under, { patience: PATIENCE, isPatient: true });

    it('shows what came in, by the metrics of SQS; LocalStack makes no metrics of log entries', async () => {
      await under.publish('{"n":6000,"temp":30}');
      const { answer } = await vi.waitUntil(async () => {
        // A new cloud, because an answer of CloudWatch is kept for a minute.
        const opened = awsCloud({ stackNames: [STACK], onNote: (note) => expect.unreachable(note) });
        const shown = await command(opened, ['status', '--json']).finally(() => opened.close());
        const reports: TaskReport[] = JSON.parse(shown.answer);
        return (reports.find(({ task }) => task === 'Warm')?.counts?.incoming ?? 0) > 0 && { answer: reports };
      }, PATIENCE);
      const warm = answer.find(({ task }) => task === 'Warm')!;
      expect(warm.counts!.outgoing).toBeUndefined();
      expect(warm.rates!.incoming).toBeGreaterThanOrEqual(0);
    });

    it('has SQS move the whole queue by its own move task', async () => {
      const body = JSON.stringify(envelope('{"n":7000,"temp":30}', { id: 'native' }));
      await under.sendDeadLetter(body, { ERROR_CODE: 'REJECTED', TASK: 'Warm' });
      const { answer } = await command(cloud, ['redrive', 'Warm', '--native', '--json']);
      expect(JSON.parse(answer)).toEqual({ task: 'Warm', moved: 1 });
      await vi.waitUntil(async () => (await under.delivered()).includes(7000), PATIENCE);
      const reports: TaskReport[] = JSON.parse((await command(cloud, ['status', 'Warm', '--json'])).answer);
      expect(reports[0]!.deadLetters).toBe(0);
    });

    it('skips the message that blocks a task, and delivers the one behind it', async () => {
      await device.publishAsync('careful/a', '{"n":', { qos: 1 });
      const statusOf = async () =>
        JSON.parse((await command(cloud, ['status', 'Careful', '--json'])).answer)[0] as TaskReport;
      await vi.waitUntil(async () => (await statusOf()).status === 'Ready', PATIENCE);
      await device.publishAsync('careful/a', '{"n":7001}', { qos: 1 });
      const { answer, failed } = await command(cloud, ['skip', 'Careful', '--yes']);
      expect({ answer, failed }).toEqual({ failed: false, answer: expect.stringMatching(/^Careful is Running/) });
      await vi.waitUntil(async () => (await under.delivered()).includes(7001), PATIENCE);
      await vi.waitUntil(async () => (await statusOf()).deadLetters === 1, PATIENCE);
      expect((await statusOf()).status).toBe('Running');
    });

    it('drains the queue of a task that a deployment has removed', async () => {
      await command(cloud, ['pause', 'Old', '--yes']);
      for (const n of [7002, 7003]) await device.publishAsync('old/a', `{"n":${n}}`, { qos: 1 });
      const used = await cloud.tasks().then((tasks) => tasks.find(({ name }) => name === 'Old')!.status());
      expect(used.waiting).toBe(2);
      await deploy('Careful');
      const retained = await cloud.retainedQueues();
      const { queueUrl } = retained.find(({ task, messages }) => task === 'Old' && messages === 2)!;
      expect((await command(cloud, ['list'])).answer).toContain(queueUrl);
      const drain = ['drain', '--queue', queueUrl, '--task', 'Hello', '--yes', '--json'];
      const { answer, failed } = await command(cloud, drain);
      expect({ ...JSON.parse(answer), failed }).toMatchObject({ redriven: { NONE: 2 }, failed: false });
      await vi.waitUntil(async () => {
        const delivered = await under.delivered();
        return delivered.includes(7002) && delivered.includes(7003);
      }, PATIENCE);
      expect(JSON.parse((await command(cloud, drain)).answer).redriven).toEqual({});
      const inUse = ['drain', '--queue', outputs['HelloQueue']!, '--task', 'Hello', '--yes'];
      await expect(command(cloud, inUse)).rejects.toThrow('which a stack uses; expected a retained queue');
    });
  },
);

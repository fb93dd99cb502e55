import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localStackHome, node24 } from '../../localstack/cache.mjs';
import { bootstrap, cdk } from '../../localstack/deployed/cdk.ts';
import { type LocalStackProcess, startLocalStack } from '../../localstack/docker-free/start.ts';
import { mqttBrokersHome } from '../../localstack/servers/mqtt-brokers/install.mjs';
import { type MqttBroker, startMosquitto } from '../../localstack/servers/mqtt-brokers/start.ts';
import { type Clients, clientsOf, functionPids, outputsOf, takeMessage } from '../support/deployed.ts';
import { envelope } from '../support/messages.ts';
import { type Connected, connectMqtt } from '../support/mqtt-client.ts';
import { isMissing } from '../support/setup-parts.ts';

const STACK = 'OutflowMqtt';
const EVERY_MS = 50;
const START_EVERY_MS = 10_000;

describe.skipIf(['localstack', 'node24', 'mqtt-brokers'].some(isMissing))(
  'MQTT, deployed to LocalStack',
  { timeout: 300_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'outflow-deployed-'));
    let broker: MqttBroker;
    let localStack: LocalStackProcess;
    let clients: Clients;
    let outputs: Record<string, string>;
    let remote: Connected;

    beforeAll(async () => {
      // A copy, because other suites write to these folders.
      for (const part of [
        'package.json',
        'tsconfig.json',
        'lib',
        'lambdas',
        'dist/bundles',
        'test/support/deployed-mqtt',
      ])
        cpSync(part, join(folder, part), { recursive: true });
      symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
      broker = await startMosquitto({ home: mqttBrokersHome });
      const url = `mqtt://${broker.host}:${broker.port}`;
      remote = await connectMqtt(url);
      localStack = await startLocalStack({ home: localStackHome, node: node24 });
      const { endpointUrl } = localStack;
      clients = clientsOf(endpointUrl);
      const options = { endpointUrl, folder: join(folder, 'test/support/deployed-mqtt'), env: { BROKER: url } };
      await bootstrap(options);
      await cdk(['deploy', '--require-approval', 'never', '--method', 'direct'], options);
      outputs = await outputsOf(clients, STACK);
    }, 600_000);
    afterAll(async () => {
      await remote?.client.endAsync();
      await localStack?.stop();
      await broker?.close();
      rmSync(folder, { recursive: true });
    }, 60_000);

    const start = () =>
      clients.lambda.send(
        new InvokeCommand({ FunctionName: outputs['Sessions'], InvocationType: 'Event', Payload: '{"slot":1}' }),
      );

    it('delivers what is in the queue to the broker', async () => {
      await remote.client.subscribeAsync('out/#', { qos: 1 });
      const payload = '{"temp": 27.50}';
      await clients.sqs.send(
        new SendMessageCommand({
          QueueUrl: outputs['OutgoingQueue']!,
          MessageBody: JSON.stringify(envelope(payload, { topic: 't/1' })),
        }),
      );
      while (remote.received.length === 0) await sleep(EVERY_MS);
      expect(remote.received).toEqual([payload]);
    });

    it('delivers to the queue, and loses nothing when the process of a session is killed while another one starts', async () => {
      await start();
      const stored = new Set<string>();
      const receive = async () => {
        const message = await takeMessage(clients, outputs['Queue']!);
        if (message === undefined) return;
        const { payload, topic } = JSON.parse(message.Body!);
        expect(topic).toBe('in/a');
        stored.add(Buffer.from(payload, 'base64').toString());
      };
      // Until the session has subscribed, nobody receives what is published.
      while (stored.size === 0) {
        await remote.client.publishAsync('in/a', 'first', { qos: 1 });
        await receive();
      }
      const published: string[] = [];
      let isPublishing = true;
      const publishing = (async () => {
        for (; isPublishing; await sleep(EVERY_MS)) {
          const text = `${published.length}`;
          published.push(text);
          await remote.client.publishAsync('in/a', text, { qos: 1 });
        }
      })();
      while (stored.size < 20) await receive();
      const killed = functionPids(localStack);
      for (const pid of killed) process.kill(pid, 'SIGKILL');
      expect(killed.length).toBeGreaterThan(0);
      const atKill = published.length;
      let startedAt = 0;
      // The first messages that were published after the kill show that another invocation has taken over.
      while (!stored.has(`${atKill + 20}`)) {
        if (Date.now() - startedAt > START_EVERY_MS) {
          startedAt = Date.now();
          await start();
        }
        await receive();
      }
      isPublishing = false;
      await publishing;
      while (!published.every((text) => stored.has(text))) await receive();
    });
  },
);

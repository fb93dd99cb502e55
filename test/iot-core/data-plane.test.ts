import { GetRetainedMessageCommand, IoTDataPlaneClient, PublishCommand } from '@aws-sdk/client-iot-data-plane';
import { expect, it, onTestFinished } from 'vitest';
import type { Publication } from '../../localstack/iot-core/broker/broker.ts';
import { startDataPlane } from '../../localstack/iot-core/data-plane/data-plane.ts';
import { mqttClient, startTestBroker } from './broker-harness.ts';

async function start(denies?: (topic: string) => boolean) {
  const { broker, publications } = await startTestBroker();
  const { endpointUrl, close } = await startDataPlane({ broker, denies });
  onTestFinished(close);
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new IoTDataPlaneClient({ endpoint: endpointUrl, region: 'us-east-1', credentials, maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return { broker, publications, endpointUrl, client };
}

it('publishes to subscribers and rules, with the MQTT 5 properties and without a trace id', async () => {
  const { broker, publications, client } = await start();
  const subscriber = await mqttClient(broker);
  await subscriber.subscribeAsync('#', { qos: 1 });
  const topic = 'a/b c/é/%2F/..';
  await client.send(
    new PublishCommand({
      topic,
      qos: 1,
      payload: new Uint8Array([0, 255]),
      userProperties: '[{"a":"1"},{"é":"ü"},{"a":"2"}]',
      contentType: 'text/é',
      responseTopic: 'r/1',
      correlationData: 'AP8=',
      messageExpiry: 60,
      payloadFormatIndicator: 'UTF8_DATA',
    }),
  );
  expect(await publications.next()).toMatchObject({
    topic,
    clientId: 'n/a',
    protocol: 'HTTP',
    traceId: undefined,
    qos: 1,
    retain: false,
  } satisfies Partial<Publication>);
  const { topic: received, packet } = await subscriber.inbox.next();
  expect(received).toBe(topic);
  expect([...(packet.payload as Buffer)]).toEqual([0, 255]);
  expect(packet.properties).toMatchObject({
    contentType: 'text/é',
    responseTopic: 'r/1',
    correlationData: Buffer.from([0, 255]),
    messageExpiryInterval: 60,
    payloadFormatIndicator: true,
    userProperties: { a: ['1', '2'], é: 'ü' },
  });
});

it('retains a message, and an empty one deletes it', async () => {
  const { client } = await start();
  const retained = () => client.send(new GetRetainedMessageCommand({ topic: 't' }));
  await client.send(new PublishCommand({ topic: 't', retain: true, qos: 1, payload: Buffer.from('kept') }));
  expect(await retained()).toMatchObject({ topic: 't', qos: 1, payload: new Uint8Array(Buffer.from('kept')) });
  await client.send(new PublishCommand({ topic: 't', retain: true }));
  await expect(retained()).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

it.each<[string, ConstructorParameters<typeof PublishCommand>[0], string]>([
  ['a wildcard', { topic: 'a/+' }, 'InvalidRequestException'],
  ['a topic of nine levels', { topic: 'a/b/c/d/e/f/g/h/i' }, 'InvalidRequestException'],
  ['a topic of AWS', { topic: '$aws/events/presence/connected/c' }, 'ForbiddenException'],
  ['a topic that the policy denies', { topic: 'denied/x' }, 'ForbiddenException'],
  ['QoS 2', { topic: 't', qos: 2 }, 'InvalidRequestException'],
  ['a payload over 128 KiB', { topic: 't', payload: new Uint8Array(128 * 1024 + 1) }, 'RequestEntityTooLargeException'],
  ['user properties that are no list', { topic: 't', userProperties: '{"a":"1"}' }, 'InvalidRequestException'],
  ['user properties over 8 KiB', { topic: 't', userProperties: `[{"a":"${'x'.repeat(8192)}"}]` }, 'InvalidRequest'],
  ['correlation data that is not base64', { topic: 't', correlationData: '?' }, 'InvalidRequestException'],
])('refuses %s', async (_, input, name) => {
  const { client, publications } = await start((topic) => topic.startsWith('denied/'));
  await expect(client.send(new PublishCommand(input))).rejects.toMatchObject({
    name: expect.stringContaining(name),
    $metadata: { requestId: expect.stringMatching(/./) },
  });
  await client.send(new PublishCommand({ topic: 'next' }));
  expect(await publications.next()).toMatchObject({ topic: 'next' });
});

it('answers calls that are not of its API', async () => {
  const { endpointUrl } = await start();
  const status = async (path: string, method: string) => (await fetch(`${endpointUrl}${path}`, { method })).status;
  expect(await status('/topics/plain/slashes?qos=1', 'POST')).toBe(200);
  expect(await status('/topics/t', 'GET')).toBe(405);
  expect(await status('/topics/%ff', 'POST')).toBe(400);
  expect(await status('/topics/t?retain=maybe', 'POST')).toBe(400);
  expect(await status('/things/t/shadow', 'GET')).toBe(404);
});

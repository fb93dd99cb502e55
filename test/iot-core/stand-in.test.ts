import mqtt from 'mqtt';
import { expect, it, onTestFinished } from 'vitest';
import { startStandIn } from '../../localstack/iot-core/stand-in.ts';

it('runs the rule that a Basic Ingest topic names, and no other', async () => {
  const sent: [string, string][] = [];
  const errors: string[] = [];
  const rule = (name: string, from: string) => ({
    name,
    sql: `SELECT topic() AS topic, topic(1) AS first FROM '${from}'`,
    actions: [{ type: 'sqs', queueUrl: name, useBase64: false }] as const,
  });
  const broker = await startStandIn({
    rules: [rule('Warm', 'devices/#'), rule('All', '#')],
    targets: { sendToQueue: (url, body) => void sent.push([url, body]), putToStream() {} },
    onError: ({ message }) => errors.push(message),
  });
  onTestFinished(() => broker.close());
  const client = await mqtt.connectAsync(broker.url);
  onTestFinished(() => client.endAsync());
  await client.publishAsync('$aws/rules/Warm/devices/d1', '{}', { qos: 1 });
  await client.publishAsync('$aws/rules/Warm/other/topic', '{}', { qos: 1 });
  await client.publishAsync('$aws/rules/None/devices/d1', '{}', { qos: 1 });
  expect(sent).toEqual([
    ['Warm', '{"topic":"devices/d1","first":"devices"}'],
    ['Warm', '{"topic":"other/topic","first":"other"}'],
  ]);
  expect(errors).toEqual([expect.stringContaining('Basic Ingest to rule None: there is no enabled rule')]);
});

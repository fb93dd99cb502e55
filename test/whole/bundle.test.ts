import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { node24 } from '../../localstack/cache.mjs';
import { type LocalKinesis, startKinesis } from '../../localstack/one-process/kinesis.ts';
import { readRecords } from '../support/kinesis.ts';
import { envelope, sqsEvent } from '../support/messages.ts';
import { isMissing } from '../support/setup-parts.ts';

describe.skipIf(isMissing('node24'))('the deployed bundle under Lambda’s Node 24', () => {
  const asset = mkdtempSync(join(tmpdir(), 'outflow-'));
  let kinesis: LocalKinesis;
  beforeAll(async () => {
    cpSync('dist/bundles/kinesis', asset, { recursive: true });
    const sink = {
      type: 'kinesis',
      stream: { $env: 'SINK_STREAM' },
      // Not a plain path, so the function loads the JSONPath library when it starts.
      partitionKey: '$..clientid',
      payload: '${payload}',
    };
    const filter = { data: { body: { temp: [{ numeric: ['>', 20] }] } } };
    const source = { type: 'iot-core', filters: ['devices/#'] };
    writeFileSync(join(asset, 'spec.json'), JSON.stringify({ v: 1, task: 'Warm', source, filter, sink }));
    kinesis = await startKinesis();
    await kinesis.createStream('telemetry');
  });
  afterAll(async () => {
    await kinesis.close();
    rmSync(asset, { recursive: true });
  });

  it('delivers a batch, and keeps what it could not dead-letter', async () => {
    const child = spawn(node24, ['test/support/invoke.mjs', join(asset, 'index.mjs')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'local',
        AWS_SECRET_ACCESS_KEY: 'local',
        AWS_ENDPOINT_URL_KINESIS: kinesis.endpointUrl,
        AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1',
        SINK_STREAM: 'telemetry',
        DEAD_LETTER_QUEUE_URL: 'http://127.0.0.1:1/000000000000/dead',
        QUEUE_URL: 'http://127.0.0.1:1/000000000000/main',
        RETRY_QUEUE_URL: 'http://127.0.0.1:1/000000000000/retry',
        CONTROL_QUEUE_URL: 'http://127.0.0.1:1/000000000000/control',
        STACK_NAME: 'Warm',
        RULE_ARNS: 'arn:aws:iot:us-east-1:000000000000:rule/r',
        TARGET_ARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/telemetry',
      },
    });
    child.stdin.end(
      JSON.stringify(
        sqsEvent(['{"temp":21.5}', '{"temp":19}', '{"temp":'].map((payload) => JSON.stringify(envelope(payload)))),
      ),
    );
    const printed = await text(child.stdout);
    const lines = printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { node, answer } = lines.at(-1);
    expect(node).toMatch(/^v24\./);
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'message-2' }] });
    expect(lines).toContainEqual(
      expect.objectContaining({ task: 'Warm', received: 3, filtered: 1, delivered: 1, deadLettered: 0, failed: 1 }),
    );
    expect((await readRecords(kinesis, 'telemetry')).map(({ key, data }) => `${key} ${data}`)).toEqual([
      '["d1"] {"temp":21.5}',
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import type { MqttProperties } from '../../lambdas/core/mqtt/properties.ts';
import { mqtt } from '../../lambdas/deliver/mqtt/mqtt.ts';
import { republish } from '../../lambdas/deliver/republish/republish.ts';
import type { SinkDefinition } from '../../lambdas/deliver/sink.ts';
import { createHandler } from '../../lambdas/worker/handler.ts';
import { attributes, context, envelope, sqsEvent } from '../support/messages.ts';
import { scriptedQueues } from '../support/task-queues.ts';

const PUBLISHED_AT = 1_795_251_600_000;

describe.each([
  { definition: mqtt, options: { server: 'mqtt://broker' } },
  { definition: republish, options: {} },
])('the request TTL of a task with the sink $definition.type', ({ definition, options }) => {
  /** The message expiry of a message of this age. */
  async function expiryAt(ageMs: number, { sink = {}, received = {}, ...spec }: Record<string, object | number>) {
    const sent: { readonly properties: MqttProperties }[] = [];
    const recording = {
      ...definition,
      open: () => ({
        async deliver(requests: typeof sent) {
          sent.push(...requests);
          return requests.map(() => ({ status: 'delivered' as const }));
        },
        testConnectivity: async () => '',
        close() {},
      }),
    } as unknown as SinkDefinition<typeof mqtt.options, unknown>;
    const handler = createHandler(recording, {
      spec: {
        v: 1,
        task: 'T',
        source: { type: 'iot-core', filters: ['#'] },
        sink: { type: definition.type, topic: 'out', ...options, ...(sink as object) },
        ...spec,
      },
      env: { RULE_ARNS: 'arn:rule/1', TARGET_ARN: 'arn:*' },
      queues: scriptedQueues({}),
      now: () => PUBLISHED_AT + ageMs,
      report() {},
    });
    const event = sqsEvent([JSON.stringify(envelope('x', { timestamp: PUBLISHED_AT }))]);
    event.Records[0]!.messageAttributes = attributes(received as Record<string, number>);
    await handler(event, context);
    expect(sent).toHaveLength(1);
    return sent[0]!.properties.messageExpirySeconds;
  }
  const ttl = { requestTtlSeconds: 45 };

  it('becomes the message expiry that is left', async () => {
    expect(await expiryAt(200, ttl)).toBe(45);
    expect(await expiryAt(10_500, ttl)).toBe(35);
    expect(await expiryAt(45_000, ttl)).toBe(1);
    expect(await expiryAt(10_500, {})).toBeUndefined();
  });

  it('counts from when the task first saw a message that is retried', async () => {
    const received = { ATTEMPT: 1, FIRST_SEEN: PUBLISHED_AT - 20_000 };
    expect(await expiryAt(10_000, { ...ttl, received })).toBe(15);
  });

  it('yields to a message expiry that the sink gives', async () => {
    expect(await expiryAt(10_000, { ...ttl, sink: { messageExpirySeconds: 7 } })).toBe(7);
  });
});

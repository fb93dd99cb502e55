import '../../lambdas/core/jsonpath/every-path.ts';
import type { PublishCommand } from '@aws-sdk/client-iot-data-plane';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Envelope, NOT_MQTT } from '../../lambdas/core/envelope.ts';
import type { NeverRetry } from '../../lambdas/core/errors.ts';
import { hopsOf } from '../../lambdas/core/mqtt/hops.ts';
import { parseOptions } from '../../lambdas/core/options.ts';
import { MqttRecord } from '../../lambdas/core/record.ts';
import { mqttOptions } from '../../lambdas/deliver/mqtt/config.ts';
import { compileMqtt } from '../../lambdas/deliver/mqtt/render.ts';
import { republishOptions } from '../../lambdas/deliver/republish/config.ts';
import { compileRepublish, type RepublishRequest } from '../../lambdas/deliver/republish/render.ts';
import { type DataPlane, republishSink } from '../../lambdas/deliver/republish/sink.ts';
import { viewsOf } from '../../lambdas/step/step.ts';
import { minute } from '../contract/sink.ts';
import { anyCharacter } from '../support/characters.ts';
import { envelope } from '../support/messages.ts';

const options = (over: object = {}) => {
  const parsed = parseOptions(republishOptions, { type: 'republish', topic: 'sub/${topic}', ...over });
  return { ...parsed, topic: parsed.topic as string };
};

/** Makes the request of an envelope, or the code of its dead letter. */
function render(over: object = {}, of: Envelope = envelope()): RepublishRequest | NeverRetry['code'] {
  const record = new MqttRecord(of);
  const views = viewsOf({ type: 'iot-core', dataFormat: 'json', defaults: {} });
  try {
    return compileRepublish(options(over), 'fail')(views.ruleOutput(record), views.event(record), record.envelope);
  } catch (error) {
    return (error as NeverRetry).code;
  }
}
const withHops = (...hops: string[]) => envelope('{}', { userProperties: hops.map((n) => ({ 'outflow-hops': n })) });

describe('a republished message', () => {
  it('has the original bytes, QoS 1 and no properties but its hops, without further options', () => {
    const bytes = new Uint8Array([0xc3, 0x28, 0]);
    expect(render({ payload: '${payload}' }, envelope(bytes))).toEqual({
      topic: 'sub/devices/d1/telemetry',
      isTopicRendered: true,
      qos: 1,
      retain: false,
      isRetainRendered: false,
      payload: Buffer.from(bytes),
      properties: { userProperties: [['outflow-hops', '1']] },
    });
  });

  it('has the QoS and retain flag of a message that our client received, and QoS 1 for 2', () => {
    const exact = { qos: '${qos}', retain: '${flags.retain}' };
    expect(render(exact, envelope('{}', { qos: 0, retain: true }))).toMatchObject({ qos: 0, retain: true });
    expect(render(exact, envelope('{}', { qos: 2, retain: false }))).toMatchObject({ qos: 1, retain: false });
    expect(render(exact)).toMatchObject({ qos: 0, retain: false });
    expect(render({ qos: 2 })).toMatchObject({ qos: 1 });
  });

  it('counts its hops, whatever the publisher wrote into the property', () => {
    const properties = (of: Envelope) =>
      (render({ userProperties: '$.data.userProperties' }, of) as RepublishRequest).properties.userProperties;
    expect(properties(withHops('3'))).toEqual([['outflow-hops', '4']]);
    expect(properties(withHops('1', '5', '2'))).toEqual([['outflow-hops', '6']]);
    expect(properties(withHops('-1', 'many', '', '1e9', '٣'))).toEqual([['outflow-hops', '1']]);
    expect(properties(envelope('{}', { clientid: NOT_MQTT }))).toEqual([['outflow-hops', '1']]);
    expect(render({}, withHops('7'))).toMatchObject({ topic: 'sub/devices/d1/telemetry' });
    for (const hops of ['8', '9', '999999999']) expect(render({}, withHops(hops))).toBe('REJECTED');
    expect(render({ maxHops: 1 }, withHops('1'))).toBe('REJECTED');
    expect(hopsOf({})).toBe(0);
  });

  it('keeps its count through an MQTT broker, and a message without one gets none', () => {
    const given = {
      type: 'mqtt',
      server: 'broker:1883',
      topic: 't',
      payload: 'x',
      userProperties: '$.data.userProperties',
    };
    const read = compileMqtt({ ...parseOptions(mqttOptions, given), topic: 't', server: 'broker:1883' }, 'fail');
    const properties = (of: Envelope) => {
      const record = new MqttRecord(of);
      const { event, ruleOutput } = viewsOf({ type: 'iot-core', dataFormat: 'json', defaults: {} });
      return read(ruleOutput(record), event(record), record.envelope).properties.userProperties;
    };
    expect(properties(withHops('3'))).toEqual([['outflow-hops', '3']]);
    expect(properties(envelope())).toEqual([]);
  });

  it('is refused where AWS IoT Core would refuse it', () => {
    expect(render({ payload: '${payload}' }, envelope('x'.repeat(128 * 1024)))).toMatchObject({ qos: 1 });
    expect(render({ payload: '${payload}' }, envelope('x'.repeat(128 * 1024 + 1)))).toBe('MESSAGE_TOO_LARGE');
    const topics = (topic: string) => render({ topic: 'sub/${payload.t}' }, envelope(JSON.stringify({ t: topic })));
    expect(topics('a/b/c/d/e/f/g')).toMatchObject({ topic: 'sub/a/b/c/d/e/f/g' });
    for (const topic of ['a/b/c/d/e/f/g/', '+', 'a#', '\0', 'é'.repeat(127)])
      expect(topics(topic)).toBe('INVALID_TARGET');
    expect(render({ qos: '${payload.temp}' })).toBe('INVALID_TARGET');
    expect(render({ retain: '${payload.temp}' })).toBe('INVALID_TARGET');
    const text = (length: number) => envelope(JSON.stringify({ x: 'x'.repeat(length) }));
    for (const [option, length] of [
      ['contentType', 256],
      ['responseTopic', 256],
    ] as const) {
      expect(render({ [option]: '${payload.x}' }, text(length))).toMatchObject({ qos: 1 });
      expect(render({ [option]: '${payload.x}' }, text(length + 1))).toBe('REJECTED');
    }
    expect(render({ userProperties: { x: '${payload.x}' } }, text(8192))).toBe('REJECTED');
    expect(render({ correlationData: 'A'.repeat(4 * 2731) })).toBe('REJECTED');
    expect(render({ messageExpirySeconds: '${payload.temp}' })).toBe('REJECTED');
    expect(render({ messageExpirySeconds: '${timestamp}' })).toBe('REJECTED');
    expect(render({ messageExpirySeconds: '700000' })).toMatchObject({ properties: { messageExpirySeconds: 604_800 } });
  });

  it('goes to no topic but those of the list', () => {
    const read = compileRepublish(options({ topic: '$.to', topics: ['plant/*', 'all'], payload: 'x' }), 'fail');
    const isAccepted = (to: string) => {
      try {
        return read({}, { to }).topic === to;
      } catch (error) {
        expect((error as NeverRetry).code).toMatch(/^INVALID_(TARGET|PAYLOAD)$/);
        return false;
      }
    };
    for (const topic of ['plant/', 'plant/a/b', 'all']) expect(isAccepted(topic)).toBe(true);
    for (const topic of ['', 'plant', 'al', 'all/a', '$aws/rules/r/plant/', 'plant/*+'])
      expect([topic, isAccepted(topic)]).toEqual([topic, false]);
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (topic) => {
        if (isAccepted(topic)) expect(topic).toMatch(/^(plant\/|all$)/);
      }),
    );
  });
});

it('an invalid topic that was unknown until deployment stops the task', async () => {
  const late = { ...options(), topic: '$aws/rules/r' };
  const made = compileRepublish(late, 'fail')({}, {});
  const sink = republishSink(late, () => expect.unreachable('a call'));
  expect(await sink.deliver([made], minute)).toMatchObject([
    { status: 'stop', error: { message: expect.stringContaining("topic: got '$aws/rules/r'; expected a topic name") } },
  ]);
  await expect(sink.testConnectivity()).rejects.toMatchObject({ name: 'StopTask' });
});

// Policies are not checked locally, so a scripted client denies what needs the permission to retain.
it('a message whose flag makes it retained does not stop the task', async () => {
  const client = {
    async send({ input }: PublishCommand) {
      if (input.retain) throw Object.assign(new Error('no'), { name: 'ForbiddenException' });
      return { $metadata: {} };
    },
    destroy() {},
  };
  const statuses = async (retain: boolean | string) => {
    const over = { topic: 'out', retain, payload: 'x' };
    const requests = [true, false].map((flag) => render(over, envelope('{}', { retain: flag })) as RepublishRequest);
    const outcomes = await republishSink(options(over), () => client as unknown as DataPlane).deliver(requests, minute);
    return outcomes.map((outcome) => (outcome.status === 'never' ? outcome.error.code : outcome.status));
  };
  expect(await statuses('${flags.retain}')).toEqual(['INVALID_TARGET', 'delivered']);
  expect(await statuses(true)).toEqual(['stop', 'stop']);
});

// The stand-in throttles nothing, so a scripted client does.
it('a throttled message is sent again, and a receipt is the id of its call', async () => {
  let calls = 0;
  const client = {
    async send() {
      calls++;
      if (calls < 3) throw Object.assign(new Error('slow down'), { name: 'ThrottlingException' });
      return { $metadata: { requestId: 'r-1' } };
    },
    destroy() {},
  };
  const sink = republishSink(options(), () => client as unknown as DataPlane);
  const outcomes = await sink.deliver([render() as RepublishRequest], minute);
  expect(outcomes).toEqual([{ status: 'delivered', receipt: 'r-1' }]);
  expect(calls).toBe(3);
});

import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../../lambdas/core/envelope.ts';
import { NeverRetry } from '../../lambdas/core/errors.ts';
import { type ReadOptions, toEvent } from '../../lambdas/core/event.ts';
import { MqttRecord } from '../../lambdas/core/record.ts';
import { toRuleOutput } from '../../lambdas/core/rule-output.ts';
import { compileIotSql } from '../../lambdas/core/sql/aws/engine.ts';
import { fromClauses } from '../../lib/source/overlap.ts';
import { selectEnvelope } from '../../lib/source/rule-sql.ts';
import { envelope } from '../support/messages.ts';

const reading: ReadOptions = { type: 'iot-core', dataFormat: 'json', defaults: {} };
const received = { messageId: 'sqs-1', sentAt: 1_795_251_600_100 };

// One message with everything that MQTT 5 can say, by the real rule SQL, to each of the contracts that users build on.
const sql = `${selectEnvelope('mqtt.message.publish')} ${fromClauses(['devices/+/telemetry'], 'filters')[0]!.from}`;
const published = compileIotSql(sql).evaluate({
  topic: 'devices/d1/telemetry',
  payload: Buffer.from('{ "temp": 21.50, "hum": 40 }'),
  clientId: 'd1',
  traceId: '1c9e3f0a-6a4d-4c55-8a2e-4f1d2b3c4d5e',
  principal: 'a1b2c3',
  sourceIp: '192.0.2.7',
  timestamp: 1_795_251_600_000,
  mqtt5: {
    contentType: 'application/json',
    payloadFormatIndicator: 1,
    responseTopic: 'devices/d1/answers',
    correlationData: 'AAEC',
    userProperties: [
      ['KEYS', 'order-1'],
      ['site', 'a'],
      ['__proto__', 'x'],
      ['site', 'b'],
      ['qos', '1'],
      ['retain', 'true'],
      ['username', 'ops'],
    ],
  },
})!;
const body = Buffer.from(published.payload)
  .toString()
  .replace(/"id":"[0-9a-f-]{36}"/, '"id":"7f6cfa3c-0f2b-4f4e-9d8e-0d5a1c7b9e11"');
const record = new MqttRecord(decodeEnvelope(body, received));
const golden = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

describe('contracts, as golden files', () => {
  it('rule SQL', () => expect(`${sql}\n`).toMatchFileSnapshot('../golden/rule.sql'));
  it('envelope v1', () => expect(golden(JSON.parse(body))).toMatchFileSnapshot('../golden/envelope.json'));
  it('event', () => expect(golden(toEvent(record, reading))).toMatchFileSnapshot('../golden/event.json'));
  it('rule output', () =>
    expect(golden(toRuleOutput(record, reading))).toMatchFileSnapshot('../golden/rule-output.json'));
  it('rule output of what only an HTTPS publisher leaves out', () => {
    const { clientid: _, trace: __, ...https } = envelope(new Uint8Array([0, 0xff]));
    const output = toRuleOutput(new MqttRecord(https), reading);
    return expect(golden(output)).toMatchFileSnapshot('../golden/rule-output-https-binary.json');
  });
});

describe('decodeEnvelope', () => {
  const decode = (value: unknown) =>
    decodeEnvelope(typeof value === 'string' ? value : JSON.stringify(value), received);
  const refused = expect.objectContaining({ code: 'UNSUPPORTED_ENVELOPE' });

  it('ignores fields it does not know, and refuses versions it does not know', () => {
    expect(decode({ ...envelope(), later: 1 }).topic).toBe('devices/d1/telemetry');
    for (const value of [
      '{',
      'null',
      '[]',
      '{}',
      { ...envelope(), v: 2 },
      { ...envelope(), topic: 5 },
      { ...envelope(), userProperties: [{ a: 1 }] },
    ]) {
      expect(() => decode(value)).toThrow(refused);
    }
  });

  it('reads what a rule’s error action sent', () => {
    const { topic, clientid, payload, timestamp } = decode({
      ruleName: 'r',
      topic: 't/1',
      cloudwatchTraceId: 'trace-1',
      clientId: 'c1',
      base64OriginalPayload: 'aGk=',
      failures: [{ failedAction: 'SqsAction', failedResource: 'q', errorMessage: 'denied' }],
    });
    expect({ topic, clientid, payload, timestamp }).toEqual({
      topic: 't/1',
      clientid: 'c1',
      payload: 'aGk=',
      timestamp: received.sentAt,
    });
  });

  it('takes IoT Core’s n/a for what it means', () =>
    expect('clientid' in decode({ ...envelope(), clientid: 'n/a' })).toBe(false));

  it('never delivers half a payload', () => {
    for (const payload of ['*', 'aGk!', 'aG!k', 'aGkA*', 'aGk=aGk='])
      expect(() => new MqttRecord(envelope('', { payload })).bytes).toThrow(NeverRetry);
  });
});

describe('the event’s body by data format (D6)', () => {
  const bodyOf = (payload: string | Uint8Array, dataFormat: ReadOptions['dataFormat']) =>
    toEvent(new MqttRecord(envelope(payload)), { ...reading, dataFormat }).data.body;
  const refused = expect.objectContaining({ code: 'INVALID_PAYLOAD' });

  it('is the JSON value, the text, or base64', () => {
    expect(bodyOf(' {"a":[1]} ', 'json')).toEqual({ a: [1] });
    expect(bodyOf('{"a":', 'text')).toBe('{"a":');
    expect(bodyOf(new Uint8Array([0xff, 0]), 'binary')).toBe('/wA=');
    expect(() => bodyOf('{"a":', 'json')).toThrow(refused);
    expect(() => bodyOf(new Uint8Array([0xff]), 'text')).toThrow(refused);
  });
});

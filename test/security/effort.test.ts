import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../../lambdas/core/envelope.ts';
import { NeverRetry } from '../../lambdas/core/errors.ts';
import { type SampleMessage, tryTask } from '../../lambdas/testing/index.ts';
import { fromClauses } from '../../lib/source/overlap.ts';
import { envelope } from '../support/messages.ts';

/** The largest MQTT payload that AWS IoT Core accepts (AWS IoT Core, "Message broker and protocol limits"). */
const LARGEST = 128 * 1024;
// Quadratic work is 17,000,000,000 steps here, which takes much longer; linear work takes milliseconds. Processor time does not
// depend on the load of the machine.
const MAX_CPU_SECONDS = 5;

const fill = (text: string, bytes = LARGEST) => text.repeat(Math.floor(bytes / text.length));

interface Hostile {
  readonly filter?: object;
  readonly filters?: string[];
  readonly sink?: object;
  readonly payload?: string;
  readonly message?: Partial<SampleMessage>;
}

async function outcomeOf({ filter, filters = ['#'], sink, payload = '{"a":1}', message }: Hostile) {
  const started = process.cpuUsage();
  const spec = {
    v: 1,
    task: 'T',
    source: { type: 'iot-core', filters },
    ...(filter !== undefined && { filter: { data: { body: { a: [filter] } } } }),
    sink: { type: 'kinesis', stream: 's', partitionKey: 'k', payload: '${payload}', ...sink },
  };
  const result = await tryTask(spec, { topic: 't', payload, ...message });
  const { user, system } = process.cpuUsage(started);
  expect((user + system) / 1e6).toBeLessThan(MAX_CPU_SECONDS);
  return result.error?.code ?? result.outcome;
}

const text = (a: string) => JSON.stringify({ a });

describe('the work for a message is linear in its length', () => {
  it.each<[string, Hostile, string]>([
    ['many stars', { filter: { wildcard: `${fill('*a', 2_000)}*b` }, payload: text(fill('a')) }, 'filtered'],
    [
      'a long piece between stars',
      { filter: { wildcard: `*${fill('a', 500)}b*` }, payload: text(fill('a')) },
      'filtered',
    ],
    [
      'stars in anything-but',
      { filter: { 'anything-but': { wildcard: `*${fill('ab*', 500)}c` } }, payload: text(fill('ab')) },
      'delivered',
    ],
    [
      'a character with two upper cases',
      { filter: { suffix: { 'equals-ignore-case': fill('ß', 500) } }, payload: text(fill('S')) },
      'delivered',
    ],
    ['very long addresses', { filter: { cidr: '2001:db8::/32' }, payload: text(fill('1:')) }, 'filtered'],
  ])('S08 %s', async (_, hostile, outcome) => expect(await outcomeOf(hostile)).toBe(outcome));

  it.each<[string, Hostile, string]>([
    ['backslashes', { filter: { prefix: 'x' }, payload: text(fill('\\')) }, 'filtered'],
    ['quotes', { filter: { prefix: 'x' }, payload: text(fill('"')) }, 'filtered'],
    [
      'JSON in JSON in JSON',
      { sink: { payload: '${payload.a.a.a}' }, payload: text(text(text(fill('"', 9_000)))) },
      'delivered',
    ],
    [
      'numbers whose text is kept',
      { sink: { payload: '${payload.a}' }, payload: `{"a":[${fill('1.0,')}1.0]}` },
      'delivered',
    ],
    [
      'a list of numbers',
      { sink: { payload: '${payload[0]}' }, payload: `[${fill('1,')}1]` },
      'TEMPLATE_VARIABLE_MISSING',
    ],
    ['one key, repeated', { sink: { payload: '${payload.a}' }, payload: `{${fill('"a":1.0,')}"a":1.0}` }, 'delivered'],
    ['placeholders', { sink: { payload: fill('${payload.a}') } }, 'delivered'],
    ['escaped placeholders', { sink: { payload: `${fill('${$}{')}}` } }, 'delivered'],
  ])('S08 %s', async (_, hostile, outcome) => expect(await outcomeOf(hostile)).toBe(outcome));

  it('S08 a template of opening braces only is refused', async () => {
    await expect(outcomeOf({ sink: { payload: fill('${') } })).rejects.toThrow(/without a closing brace/);
  });

  it('S08 topics of slashes only, with filters of wildcards only', async () => {
    const filters = ['+/+/+/+/+/+/+/a', '+/+/+/+/+/+/a/+', '+/+/+/+/+/+/+/#'];
    expect(await outcomeOf({ filters, message: { topic: fill('/') } })).toBe('delivered');
    const started = process.cpuUsage();
    const expressions = fromClauses([...filters, '+/+/+/+/+/+/a/#'], 'filters').flatMap(({ from }) =>
      [...from.matchAll(/regexp_matches\(topic\(\), '([^']*)'\)/g)].map(([, expression]) => expression!),
    );
    expect(expressions.length).toBeGreaterThan(4);
    for (const expression of expressions) new RegExp(expression).test(`${fill('a')}/${fill('/')}\n`);
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1e6).toBeLessThan(MAX_CPU_SECONDS);
  });

  it('S08 10,000 user properties', async () => {
    const userProperties = Array.from({ length: 10_000 }, (_, i): [string, string] => [`k${i % 5_000}`, 'v']);
    expect(await outcomeOf({ sink: { payload: '' }, message: { userProperties } })).toBe('delivered');
  });
});

describe('the work of a JSONPath is bounded', () => {
  const nested = (depth: number, inner: string, name = 't') =>
    `${`{"${name}":`.repeat(depth)}${inner}${'}'.repeat(depth)}`;
  const outcome = async (path: string, payload: string) => {
    const sink = { type: 'rocketmq', nameServers: 'mq:9876', topic: 'T', payload: path };
    const started = process.cpuUsage();
    const result = await tryTask(
      { v: 1, task: 'T', source: { type: 'iot-core', filters: ['#'] }, sink },
      { topic: 't', payload },
    );
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1e6).toBeLessThan(MAX_CPU_SECONDS);
    return result.error?.code ?? result.outcome;
  };

  it.each<[string, string, string]>([
    ['descendants of a deep payload', '$..t', nested(900, `[${fill('{},', 100_000)}{}]`)],
    ['descendants of descendants', '$.data.body..a..a', nested(900, '1', 'a')],
    ['all values of a deep payload', '$.data.body..*', nested(900, `[${fill('1,', 100_000)}1]`)],
    ['a long text inside many values', '$.data.body..*', nested(900, `"${fill('x', 100_000)}"`)],
    ['a query for each of many values', '$.data.body..[?@..x]', nested(300, `[${fill('1,', 2_000)}1]`)],
    [
      'a comparison for each of many values',
      '$.data.body..[?@ == $.data.body]',
      nested(900, `[${fill('1,', 100_000)}1]`),
    ],
    [
      'a long filter for each of many values',
      '$.data.body..[?@.a == 1 || @.b == 2]',
      `[${fill('{"a":1,"b":2},', 120_000)}{}]`,
    ],
    ['a long text for a pattern', '$.data.body[?search(@.a,"a*b")]', `[{"a":"${fill('a', 100_000)}"}]`],
    ['many texts for a pattern', '$.data.body[?search(@,"a*a*a*b")]', `[${fill(`"${'a'.repeat(250)}",`)}""]`],
  ])('S08 %s', async (_, path, payload) => expect(await outcome(path, payload)).toBe('INVALID_PAYLOAD'));

  it.each<[string, string, string]>([
    ['descendants of descendants, 30 deep', '$.data.body..a..a', nested(30, '1', 'a')],
    ['a list of 2,500 objects', '$.data.body[?@.t > 20].t', `[${fill('{"id":"dev","t":21.5,"h":[1]},')}{}]`],
    ['descendants of 60,000 values', '$.data.body..*', `[${fill('1,', 120_000)}1]`],
    [
      '500 texts for a pattern',
      '$.data.body[?match(@.id, "[a-z]+-[0-9]+")].id',
      `[${fill('{"id":"device-12345"},', 11_000)}{}]`,
    ],
  ])('%s is within it', async (_, path, payload) => expect(await outcome(path, payload)).toBe('delivered'));
});

describe('excessive values', () => {
  it.each<[string, string, string]>([
    ['a number of 128 KiB', `{"a":${fill('9')}}`, fill('9')],
    ['a fraction of 128 KiB', `{"a":0.${fill('0')}1}`, '0.0'],
    ['an exponent beyond the range', '{"a":1e99999999999999999999}', '1e99999999999999999999'],
    ['an exponent below the range', '{"a":-1e-99999999999999999999}', '0.0'],
  ])('S11 %s is a valid value', async (_, payload, written) => {
    const spec = (over: object) => ({
      v: 1,
      task: 'T',
      source: { type: 'iot-core', filters: ['#'] },
      sink: { type: 'kinesis', stream: 's', partitionKey: 'k', payload: '${payload.a}' },
      ...over,
    });
    const { requests } = await tryTask(spec({}), { topic: 't', payload });
    expect(requests![0]!['data']).toBe(written);
    const filter = { data: { body: { a: [{ numeric: ['>', 1e300] }] } } };
    expect(await tryTask(spec({ filter }), { topic: 't', payload })).toMatchObject({ outcome: 'filtered' });
  });

  it('S11 a template that multiplies a message makes a dead letter', async () => {
    const sink = { payload: fill('${payload.a}', 2_000) };
    expect(await outcomeOf({ sink, payload: text(fill('x', 100_000)) })).toBe('MESSAGE_TOO_LARGE');
  });

  it.each([
    ['128 KiB of [', fill('[')],
    ['128 KiB of {"v":', fill('{"v":')],
    ['a list, 60,000 levels deep', `${fill('[', 60_000)}${fill(']', 60_000)}`],
    [
      'a version that nests 60,000 levels deep',
      JSON.stringify(envelope()).replace('"v":1', `"v":${'['.repeat(60_000)}${']'.repeat(60_000)}`),
    ],
    ['a version of 128 KiB', JSON.stringify({ ...envelope(), v: fill('1') })],
    ['nested user properties', JSON.stringify({ ...envelope(), userProperties: [[[[[]]]], { a: [[]] }] })],
  ])('S11 %s is not a valid envelope', (_, body) => {
    const received = { messageId: 'm', sentAt: 1 };
    try {
      decodeEnvelope(body, received);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(NeverRetry);
      expect((error as NeverRetry).code).toBe('UNSUPPORTED_ENVELOPE');
    }
  });
});

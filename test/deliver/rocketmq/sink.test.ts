import '../../../lambdas/core/jsonpath/every-path.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Resolved } from '../../../lambdas/core/deploy-time.ts';
import { InvalidOptionError, type NeverRetry, RetryLater, StopTask } from '../../../lambdas/core/errors.ts';
import { parseJson } from '../../../lambdas/core/json.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { type RocketMqOptions, rocketMqOptions } from '../../../lambdas/deliver/rocketmq/config.ts';
import { parseCredentials } from '../../../lambdas/deliver/rocketmq/credentials.ts';
import type { RocketMqRequest } from '../../../lambdas/deliver/rocketmq/message.ts';
import type { Producer } from '../../../lambdas/deliver/rocketmq/producer.ts';
import { compileRocketMq } from '../../../lambdas/deliver/rocketmq/render.ts';
import { openRocketMq, rocketMqSink } from '../../../lambdas/deliver/rocketmq/sink.ts';
import { minute } from '../../contract/sink.ts';

const options = (over: object = {}) => {
  const given = { type: 'rocketmq', nameServers: '127.0.0.1:1', topic: 'T', ...over };
  return parseOptions(rocketMqOptions, given) as Resolved<RocketMqOptions>;
};

const BY_PROXY = { nameServers: undefined, endpoints: '127.0.0.1:1' };

describe('RocketMQ rendering', () => {
  const event = {
    id: 'id-1',
    data: {
      body: { temp: 21.5, tag: 'hot', list: ['a b', 'c'], deep: { x: null } },
      userProperties: { KEYS: 'k', TAGS: 't', unit: 'C', many: ['x', 'y'], none: null },
    },
  };
  const scope = { clientid: 'd 1', topic: 't/1', site: 'a', nothing: '' };
  const rendered = (over: object, given: object = event): RocketMqRequest | string => {
    try {
      return compileRocketMq(options(over), 'fail')(scope, given);
    } catch (error) {
      return (error as NeverRetry).code;
    }
  };
  const message = (over: object) => (rendered(over) as RocketMqRequest).message;

  it('takes templates over the rule output and JSONPaths over the event', () => {
    const mapped = rendered({
      topic: 'T-${site}',
      payload: '$.data.body.tag',
      key: '$.data.body.list',
      tag: '${site}',
      properties: { temp: '$.data.body.temp', deep: '$.data.body.deep', none: '$.data.none', who: '${clientid}' },
      messageGroup: '${topic}',
      delayLevel: '$.data.body.level',
    });
    expect(mapped).toEqual({
      topic: 'T-a',
      isTopicRendered: true,
      isTypeRendered: true,
      message: {
        body: Buffer.from('hot'),
        keys: ['a', 'b', 'c'],
        tag: 'a',
        properties: { temp: '21.5', deep: '{"x":null}', who: 'd 1' },
        group: 't/1',
      },
    });
  });

  it('leaves KEYS, TAGS and nulls out of an object of properties, and makes JSON of other values (D14)', () => {
    expect(message({ properties: '$.data.userProperties' }).properties).toEqual({ unit: 'C', many: '["x","y"]' });
  });

  it('has the message’s id as its key by default (A30)', () => {
    expect(message({}).keys).toEqual(['id-1']);
    expect(message({ key: '' })).not.toHaveProperty('keys');
  });

  it('has a type that the message decides only if a template renders its group or time', () => {
    const isTypeRendered = (over: object) => (rendered(over) as RocketMqRequest).isTypeRendered;
    expect([{}, { messageGroup: 'g' }, { deliverAt: '5' }].map(isTypeRendered)).toEqual([false, false, false]);
    expect([{ messageGroup: '${site}' }, { deliverAt: '$.data.x' }].map(isTypeRendered)).toEqual([true, true]);
  });

  it('does not judge a topic that was unknown until deployment', () => {
    const late = { ...options({ topic: { $env: 'TOPIC' } }), topic: 'a b' };
    expect(compileRocketMq(late, 'fail')(scope, event)).toMatchObject({ topic: 'a b', isTopicRendered: false });
  });

  it('omits an optional value that its JSONPath does not find, and refuses a message without a body (D13–D16)', () => {
    const paths = { key: '$.x', tag: '$.x', properties: '$.x', messageGroup: '$.x' };
    for (const delay of [{ delayLevel: '$.x' }, { deliverAt: '$.x' }])
      expect(message({ ...paths, ...delay })).toEqual({ body: Buffer.from(JSON.stringify(scope)), properties: {} });
    expect(rendered({ payload: '$.data.x' })).toBe('TEMPLATE_VARIABLE_MISSING');
    expect(rendered({ tag: '${x}' })).toBe('TEMPLATE_VARIABLE_MISSING');
  });

  it.each<[string, object]>([
    ['INVALID_TARGET', { topic: '${topic}' }],
    ['INVALID_TARGET', { topic: '$.data.x' }],
    ['INVALID_TARGET', { topic: `${'x'.repeat(63)}\${site}`, namespace: 'n'.repeat(63) }],
    ['INVALID_TARGET', { tag: 'a|${site}' }],
    // Consumers trim the tags that they subscribe to, and a message has one.
    ['INVALID_TARGET', { tag: '${site} ' }],
    ['INVALID_TARGET', { tag: '\t${site}' }],
    ['INVALID_TARGET', { tag: '$.data.body.list' }],
    ['INVALID_TARGET', { delayLevel: '19${nothing}' }],
    ['INVALID_TARGET', { delayLevel: '$.data.body.temp' }],
    ['INVALID_TARGET', { deliverAt: '${site}' }],
    // Proxies answer a time after the year 9999 with a failure that looks like one of the server.
    ['INVALID_TARGET', { deliverAt: '${nothing}253402300800000' }],
    ['REJECTED', { payload: '${nothing}' }],
    ['REJECTED', { properties: '$.data.body.list' }],
    ['MESSAGE_TOO_LARGE', { maxMessageBytes: 10 }],
  ])('is %s for %j', (code, over) => expect(rendered(over)).toBe(code));

  it('accepts the texts that synth accepts for a literal option', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '1', ' ', '|', '-', '${$}', 'é'), minLength: 1, maxLength: 4 });
    const isTaken = (make: () => unknown) => {
      try {
        make();
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(text, fc.constantFrom('topic', 'tag', 'delayLevel', 'deliverAt'), (given, option) => {
        const later = { [option]: '${given}' };
        const given$ = given.replaceAll('${$}', '$');
        const render = () => compileRocketMq(options(later), 'fail')({ ...scope, given: given$ }, event);
        // Only a topic that the task itself names may hold a |.
        fc.pre(option !== 'topic' || !given$.includes('|'));
        expect(isTaken(() => options({ [option]: given }))).toBe(isTaken(render));
      }),
    );
  });

  const SYSTEM = [
    ...[
      'rmq_sys_wheel_timer',
      'rmq_sys_SYNC_BROKER_MEMBER_broker-a',
      'RMQ_SYS_TRANS_HALF_TOPIC',
      'SCHEDULE_TOPIC_XXXX',
    ],
    ...[
      'TBW102',
      'SELF_TEST_TOPIC',
      'OFFSET_MOVED_EVENT',
      'TRANS_CHECK_MAX_TIME_TOPIC',
      'BenchmarkTest',
      'DefaultCluster',
    ],
    ...['DefaultCluster_REPLY_TOPIC', '%RETRY%billing', '%DLQ%billing', '%SYS%x'],
  ];

  it.each(SYSTEM)('refuses the topic %s of RocketMQ, named by a message or by the task', (name) => {
    const given = { ...event, data: { t: name } };
    for (const over of [{}, { topics: ['*'] }, { topics: [name].filter((topic) => !topic.includes('%')).concat('x*') }])
      expect(rendered({ topic: '$.data.t', ...over }, given)).toBe('INVALID_TARGET');
    expect(() => options({ topic: name })).toThrow(/topic: got .* no topic that RocketMQ reserves/);
  });

  it.each<[boolean, string, string[]?]>([
    [true, 'plant-1', ['plant-*']],
    [true, 'plant-', ['plant-*']],
    [true, 'other', ['plant-*', 'other']],
    [true, 'any'],
    [false, 'plant', ['plant-*']],
    [false, 'other', ['others', 'othe']],
    [false, 'plant-1', ['plant-']],
    [false, 'inst%plant-1', ['plant-*']],
    [false, 'a%b'],
    [false, 'a|b'],
  ])('%s: a message may name the topic %s, allowed %j', (is, name, topics) => {
    const found = rendered({ topic: '$.data.t', ...(topics && { topics }) }, { ...event, data: { t: name } });
    expect(found === 'INVALID_TARGET').toBe(!is);
  });

  it('reads whole numbers that a device writes as floats', () => {
    const given = parseJson('{"id":"1","data":{"at":1795251660000.0,"level":7.00,"half":7.5,"tags":["a"]}}') as object;
    expect(rendered({ deliverAt: '$.data.at' }, given)).toMatchObject({ message: { deliverAtMs: 1_795_251_660_000 } });
    expect(rendered({ delayLevel: '$.data.level' }, given)).toMatchObject({ message: { delayLevel: 7 } });
    expect(rendered({ delayLevel: '$.data.half' }, given)).toBe('INVALID_TARGET');
    expect(rendered({ tag: '$.data.tags' }, given)).toMatchObject({ message: { tag: 'a' } });
  });

  it('leaves out a user property without a name', () => {
    const given = { ...event, data: { userProperties: { '': 'x', site: 'n' } } };
    expect(rendered({ properties: '$.data.userProperties' }, given)).toMatchObject({
      message: { properties: { site: 'n' } },
    });
    expect(() => options({ properties: { '': 'x' } })).toThrow(/properties/);
  });

  it('refuses reserved names of properties (D14)', () => {
    const reserved = { ...event, data: { userProperties: { UNIQ_KEY: 'x' } } };
    expect(rendered({ properties: '$.data.userProperties' }, reserved)).toBe('REJECTED');
  });
});

describe('RocketMQ options', () => {
  it.each<[RegExp, object]>([
    [/topic: got 'a b'; expected .*127 letters/, { topic: 'a b' }],
    [/topic: .*expected 1 to 62 letters/, { topic: 'x'.repeat(63), namespace: 'n'.repeat(64) }],
    [/nameServers: .* expected host:port/, { nameServers: '10.0.0.5' }],
    [/nameServers: .* expected host:port/, { nameServers: '10.0.0.5:9876;' }],
    [/nameServers: got undefined; expected .* or endpoints/, { nameServers: undefined }],
    [/endpoints: .* expected none beside nameServers/, { endpoints: '10.0.0.5:8081' }],
    [/endpoints: .* expected .*no IPv6/, { nameServers: undefined, endpoints: '10.0.0.5:8081;[::1]:8081' }],
    [/batchSize: got 1; expected inflightWindow/, { ...BY_PROXY, batchSize: 1 }],
    [/deliverAt: .*none beside messageGroup/, { ...BY_PROXY, messageGroup: 'g', deliverAt: '${t}' }],
    [/tag: .*not a JSONPath/, { tag: '$.a[' }],
    [/properties/, { properties: { UNIQ_KEY: 'x' } }],
    [/delayLevel/, { delayLevel: 19 }],
    [/deliverAt/, { delayLevel: 1, deliverAt: '${t}' }],
    [/tag: got 'a\|b'; expected a text that is not blank, holds no \| and .*, or a template/, { tag: 'a|b' }],
    [/tag: got ' '/, { tag: ' ' }],
    [/tag: got 'a '/, { tag: 'a ' }],
    [/delayLevel: got '99'; expected .*18/, { delayLevel: '99' }],
    [/deliverAt: got 'tomorrow'; expected a whole number/, { deliverAt: 'tomorrow' }],
    [/messageGroup: got 'g+'; expected a text of at most 64/, { ...BY_PROXY, messageGroup: 'g'.repeat(80) }],
    [/produce: got 'oneway'/, { produce: 'oneway' }],
    [/syncTimeoutMs: got 99; expected .*100/, { syncTimeoutMs: 99 }],
  ])('refuses an option by its name: %s', (wanted, over) => {
    expect(() => options(over)).toThrow(InvalidOptionError);
    expect(() => options(over)).toThrow(wanted);
  });
});

describe('RocketMQ sink', () => {
  const producer = (over: Partial<Producer> = {}): Producer => ({
    deliver: async (requests) => requests.map(() => ({ status: 'delivered' })),
    testConnectivity: async () => ({ brokers: [{ name: 'a', address: 'b:1', latencyMs: 0.5 }], away: [] }),
    close() {},
    ...over,
  });
  const request = (topic: string, over: Partial<RocketMqRequest> = {}): RocketMqRequest => ({
    topic,
    isTopicRendered: true,
    isTypeRendered: true,
    message: { body: Buffer.from('x') },
    ...over,
  });

  it('attributes a topic to the task if the task names it, even if a template names it, too', async () => {
    const sent: RocketMqRequest[] = [];
    const sink = rocketMqSink(options(), async () =>
      producer({
        async deliver(requests) {
          sent.push(...requests);
          return [];
        },
      }),
    );
    const given = [request('A'), request('B'), request('A', { isTopicRendered: false, isTypeRendered: false })];
    await sink.deliver(given, minute);
    // A type that a message rendered stays the message's.
    expect(sent.map(({ isTopicRendered, isTypeRendered }) => [isTopicRendered, isTypeRendered])).toEqual([
      [false, true],
      [true, true],
      [false, false],
    ]);
  });

  it('tests each topic of the task, and only the brokers for topics that messages name', async () => {
    const tested: (string | undefined)[] = [];
    const sink = rocketMqSink(options(), async () =>
      producer({
        testConnectivity: async (topic) => {
          tested.push(topic);
          return { brokers: [{ name: 'a', address: 'b:1', latencyMs: 0.5 }], away: [] };
        },
      }),
    );
    expect(await sink.testConnectivity(['A', '$.data.topic'])).toBe(
      'A: a (b:1) answers in 1 ms; topics named by $.data.topic: a (b:1) answers in 1 ms',
    );
    await sink.testConnectivity();
    expect(tested).toEqual(['A', undefined, 'T']);
    await expect(sink.testConnectivity(['T', 'a b'])).rejects.toThrow(StopTask);
    expect(tested).toEqual(['A', undefined, 'T', 'T']);
  });

  it('connects again after connecting failed', async () => {
    let tries = 0;
    const sink = rocketMqSink(options(), async () => {
      if (++tries === 1) throw new RetryLater('no secret yet');
      return producer();
    });
    await expect(sink.deliver([request('T')], minute)).rejects.toThrow('no secret yet');
    expect(await sink.deliver([request('T')], minute)).toEqual([{ status: 'delivered' }]);
    expect(tries).toBe(2);
  });
});

describe('RocketMQ credentials', () => {
  it('are JSON of two or three texts, and no error repeats them', () => {
    expect(parseCredentials('{"accessKey":"a","secretKey":"s","user":"x"}', 'arn')).toEqual({
      accessKey: 'a',
      secretKey: 's',
    });
    for (const text of [
      'hunter2',
      '{"accessKey":"hunter2"}',
      '{"accessKey":"hunter2","secretKey":2}',
      '["hunter2"]',
      'null',
    ]) {
      expect(() => parseCredentials(text, 'arn')).toThrow(StopTask);
      expect(() => parseCredentials(text, 'arn')).not.toThrow(/hunter2/);
    }
  });

  it('stop the task for an invalid address that was unknown until deployment', async () => {
    for (const servers of [{ nameServers: 'nowhere' }, { nameServers: undefined, endpoints: 'nowhere' }]) {
      const sink = openRocketMq({ ...options(), ...servers }, { env: {} });
      await expect(sink.deliver([], minute)).rejects.toThrow(StopTask);
    }
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Resolved } from '../../../lambdas/core/deploy-time.ts';
import { InvalidOptionError, type NeverRetry, RetryLater, StopTask } from '../../../lambdas/core/errors.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { secretReader } from '../../../lambdas/deliver/net/secrets.ts';
import { type RocketMqOptions, rocketMqOptions } from '../../../lambdas/deliver/rocketmq/config.ts';
import { parseCredentials } from '../../../lambdas/deliver/rocketmq/credentials.ts';
import type {
  Message,
  Producer,
  SendOptions,
  SendOutcome,
} from '../../../lambdas/deliver/rocketmq/remoting/producer.ts';
import { compileRocketMq, type RocketMqRequest } from '../../../lambdas/deliver/rocketmq/render.ts';
import { openRocketMq, rocketMqSink } from '../../../lambdas/deliver/rocketmq/sink.ts';
import type { DeliverContext } from '../../../lambdas/deliver/sink.ts';
import { hurry, minute } from '../../contract/sink.ts';

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

  it('leaves KEYS, TAGS and nulls out of an object of properties, and makes JSON of what is no text (D14)', () => {
    expect(message({ properties: '$.data.userProperties' }).properties).toEqual({ unit: 'C', many: '["x","y"]' });
  });

  it('has the message’s id for its key, unless it is told otherwise (A30)', () => {
    expect(message({}).keys).toEqual(['id-1']);
    expect(message({ key: '' })).not.toHaveProperty('keys');
  });

  it('does without what a JSONPath does not find, but not without a body (D13–D16)', () => {
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
    ['INVALID_TARGET', { delayLevel: '19${nothing}' }],
    ['INVALID_TARGET', { delayLevel: '$.data.body.temp' }],
    ['INVALID_TARGET', { deliverAt: '${site}' }],
    ['REJECTED', { payload: '${nothing}' }],
    ['REJECTED', { properties: '$.data.body.list' }],
    ['MESSAGE_TOO_LARGE', { maxMessageBytes: 10 }],
  ])('is %s for %j', (code, over) => expect(rendered(over)).toBe(code));

  it('is what its options’ check lets through, where messages decide nothing', () => {
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
        expect(isTaken(() => options({ [option]: given }))).toBe(isTaken(render));
      }),
    );
  });

  it('refuses names that RocketMQ keeps for itself (D14)', () => {
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
    [/tag: got 'a\|b'; expected a text that is not blank and holds no \|, or a template/, { tag: 'a|b' }],
    [/tag: got ' '/, { tag: ' ' }],
    [/delayLevel: got '99'; expected .*18/, { delayLevel: '99' }],
    [/deliverAt: got 'tomorrow'; expected a whole number/, { deliverAt: 'tomorrow' }],
    [/messageGroup: got 'g+'; expected a text of at most 64/, { ...BY_PROXY, messageGroup: 'g'.repeat(80) }],
    [/produce: got 'oneway'/, { produce: 'oneway' }],
    [/syncTimeoutMs: got 99; expected .*100/, { syncTimeoutMs: 99 }],
  ])('refuses by name: %s', (wanted, over) => {
    expect(() => options(over)).toThrow(InvalidOptionError);
    expect(() => options(over)).toThrow(wanted);
  });
});

// Failures of single messages among others, in an order of our own: no server gives them on demand.
describe('RocketMQ sink, by a scripted producer', () => {
  const scripted = (fails: (text: string) => boolean, over: object = {}) => {
    const sends: (Pick<SendOptions, 'isTopicRendered' | 'isOrdered'> & { topic: string; texts: string[] })[] = [];
    const producer: Producer = {
      async send(topic, messages, { isTopicRendered, isOrdered } = {}) {
        const texts = messages.map(({ body }) => `${Buffer.from(body)}`);
        sends.push({ topic, texts, isTopicRendered, isOrdered });
        const error = new RetryLater('slow down');
        return texts.map((text) => (fails(text) ? { status: 'retry', error } : stored(text)));
      },
      testConnectivity: async () => ({ brokers: [{ name: 'a', address: 'b:1', latencyMs: 0.5 }], away: [] }),
      close() {},
    };
    return { sends, sink: rocketMqSink(options(over), async () => producer) };
  };
  const stored = (id: string): SendOutcome => ({
    status: 'delivered',
    receipt: id,
    messageId: id,
    broker: 'a',
    queueId: 0,
    offset: 0,
  });
  const request = (text: string, topic = 'T', group?: string): RocketMqRequest => ({
    topic,
    isTopicRendered: true,
    isTypeRendered: false,
    message: { body: Buffer.from(text), ...(group !== undefined && { group }) } satisfies Message,
  });

  it('maps every outcome to its request, for any topics and failures', async () => {
    const batch = fc.array(fc.record({ topic: fc.constantFrom('a', 'b', 'c'), fails: fc.boolean() }), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(batch, async (given) => {
        const failing = new Set(given.flatMap(({ fails }, i) => (fails ? [`${i}`] : [])));
        const { sink, sends } = scripted((text) => failing.has(text), { topic: '${topic}' });
        const outcomes = await sink.deliver(
          given.map(({ topic }, i) => request(`${i}`, topic)),
          minute,
        );
        expect(outcomes.map(({ status }) => status)).toEqual(given.map(({ fails }) => (fails ? 'retry' : 'delivered')));
        expect(sends.map(({ topic }) => topic)).toEqual([...new Set(given.map(({ topic }) => topic))]);
        expect(sends.every(({ isTopicRendered }) => isTopicRendered)).toBe(true);
      }),
    );
  });

  const statuses = async (context: DeliverContext, requests: RocketMqRequest[]) => {
    const { sink, sends } = scripted((text) => text === '2', { batchSize: 2 });
    const outcomes = await sink.deliver(requests, context);
    return { statuses: outcomes.map(({ status }) => status), sends: sends.map(({ texts }) => texts) };
  };

  it('relaxed order: sends nothing after a batch of which something is left over', async () => {
    const requests = ['0', '1', '2', '3', '4', '5'].map((text) => request(text));
    expect(await statuses({ ...hurry, order: 'relaxed' }, requests)).toEqual({
      statuses: ['delivered', 'delivered', 'retry', 'delivered', 'unsent', 'unsent'],
      sends: [
        ['0', '1'],
        ['2', '3'],
      ],
    });
  });

  it('strict order: a topic’s failure holds up that topic only, and groups are the producer’s', async () => {
    const requests = [
      request('2', 'a'),
      request('3', 'a'),
      request('4', 'a'),
      request('5', 'b'),
      request('6', 'a', 'g'),
    ];
    const { statuses: found } = await statuses({ ...hurry, order: 'strict' }, requests);
    expect(found).toEqual(['retry', 'delivered', 'unsent', 'delivered', 'delivered']);
  });

  it('tells the producer whether a send that it splits has an order', async () => {
    const isOrdered = async (order: DeliverContext['order']) => {
      const { sink, sends } = scripted(() => false);
      await sink.deliver([request('0')], { ...hurry, order });
      return sends[0]!.isOrdered;
    };
    expect([await isOrdered(undefined), await isOrdered('relaxed'), await isOrdered('strict')]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('by proxies: as many as may be under way when relaxed, one at a time of a topic when strict', async () => {
    const sendsOf = async (order: 'relaxed' | 'strict') => {
      const { sink, sends } = scripted((text) => text === '3', { ...BY_PROXY, topic: '${t}', inflightWindow: 2 });
      const requests = ['0', '1', '2', '3', '4', '5'].map((text) => request(text, text === '1' ? 'b' : 'a'));
      await sink.deliver(requests, { ...hurry, order });
      return sends.map(({ texts }) => texts.join(' ')).sort();
    };
    expect(await sendsOf('relaxed')).toEqual(['0', '1', '2 3']);
    expect(await sendsOf('strict')).toEqual(['0', '1', '2', '3']);
  });

  it('asks for each topic that messages may go to, and for none that they name', async () => {
    const asked: (string | undefined)[] = [];
    const sink = rocketMqSink(options(), async () => ({
      send: async () => [],
      testConnectivity: async (topic) => {
        asked.push(topic);
        return { brokers: [{ name: 'a', address: 'b:1', latencyMs: 0.5 }], away: [] };
      },
      close() {},
    }));
    expect(await sink.testConnectivity(['A', '$.data.topic'])).toBe(
      'A: a (b:1) answers in 1 ms; topics named by $.data.topic: a (b:1) answers in 1 ms',
    );
    await sink.testConnectivity();
    expect(asked).toEqual(['A', undefined, 'T']);
  });

  it('a topic that only the deployment knew, and that is none, stops the task', async () => {
    const { sink, sends } = scripted(() => false, { topic: { $env: 'TOPIC' } });
    const [wrong, right] = await sink.deliver([request('x', 'a b'), request('y')], minute);
    expect(wrong).toMatchObject({ status: 'stop', error: { message: expect.stringContaining("topic: got 'a b'") } });
    expect(right).toMatchObject({ status: 'delivered' });
    expect(sends.map(({ topic }) => topic)).toEqual(['T']);
    await expect(sink.testConnectivity(['T', 'a b'])).rejects.toThrow(StopTask);
    const late = { ...options(), topic: 'a b' };
    expect(compileRocketMq(late, 'fail')({ id: 1 }, { id: 'i' })).toMatchObject({ topic: 'a b' });
  });

  it('connects anew after it could not', async () => {
    let tries = 0;
    const sink = rocketMqSink(options(), async () => {
      if (++tries === 1) throw new RetryLater('no secret yet');
      return { send: async () => [stored('x')], testConnectivity: async () => ({ brokers: [], away: [] }), close() {} };
    });
    await expect(sink.deliver([request('x')], minute)).rejects.toThrow('no secret yet');
    expect(await sink.deliver([request('x')], minute)).toEqual([expect.objectContaining({ status: 'delivered' })]);
    expect(tries).toBe(2);
  });
});

describe('RocketMQ secrets', () => {
  const failing = (name: string) =>
    secretReader({ secret: async () => Promise.reject(Object.assign(new Error('no'), { name })) })('arn');

  it('stop the task where waiting is no use, and say which secret it is', async () => {
    await expect(failing('AccessDeniedException')).rejects.toThrow(StopTask);
    await expect(failing('TimeoutError')).rejects.toThrow(RetryLater);
    await expect(failing('TimeoutError')).rejects.toThrow('read secret arn: TimeoutError: no');
  });

  it('are JSON of two texts or three; nothing of them is in the error', () => {
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

  it('stop the task for an address that only the deployment knew, and that is none', async () => {
    for (const servers of [{ nameServers: 'nowhere' }, { nameServers: undefined, endpoints: 'nowhere' }]) {
      const sink = openRocketMq({ ...options(), ...servers }, { env: {} });
      await expect(sink.deliver([], minute)).rejects.toThrow(StopTask);
    }
  });
});

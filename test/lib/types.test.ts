import { App, Stack } from 'aws-cdk-lib';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../lambdas/core/pattern/pattern.ts';
import {
  type EventPattern,
  IotTopicSource,
  KinesisSink,
  OutflowTask,
  RocketMqConnector,
  RocketMqHooks,
  RocketMqSink,
} from '../../lib/index.ts';

// The compiler checks these together with the other types: an `@ts-expect-error` without an error is an error.

describe('EventPattern has the operators of the language, with the values that they take', () => {
  const accepted: EventPattern[] = [
    { type: ['mqtt.message.publish', 'any.other'], subject: ['a/b', { prefix: 'c/' }], source: [{ exists: true }] },
    { data: { body: ['text', 5, true, null, ''] } },
    { data: { body: { a: { b: { c: [{ exactly: '::1' }] } } } } },
    { data: { topic: [{ prefix: 'img/' }, { suffix: '.png' }, { contains: '-raw-' }] } },
    { data: { clientid: [{ 'equals-ignore-case': 'on' }, { prefix: { 'equals-ignore-case': 'dev-' } }] } },
    { data: { body: { file: [{ suffix: { 'equals-ignore-case': '.jpg' } }, { wildcard: 'img/*/x.*' }] } } },
    {
      data: { body: { state: [{ 'anything-but': ['idle', 'off'] }, { 'anything-but': 5 }, { 'anything-but': [1] }] } },
    },
    { data: { body: { file: [{ 'anything-but': { wildcard: ['*.tmp', 'cache/*'] } }] } } },
    { data: { body: { file: [{ 'anything-but': { prefix: 'x' } }, { 'anything-but': { suffix: ['x'] } }] } } },
    { data: { body: { temp: [{ numeric: ['<', -5] }, { numeric: ['=', 0] }, { numeric: ['>=', 30, '<', 40] }] } } },
    { data: { peerhost: [{ cidr: '10.0.0.0/24' }], qos: [1, { exists: false }] } },
    { data: { flags: { retain: [true] }, userProperties: { site: ['a'] }, systemProperties: { KEYS: ['k'] } } },
    { data: { body: { $or: [{ a: [1] }, { b: { c: [{ numeric: ['>', 1] }] } }] } } },
    { $or: [{ subject: ['a'] }, { data: { body: { alarm: [true] } } }] },
    { data: { order: { id: [7] } } },
  ];
  it.each(accepted)('%j', (pattern) => expect(() => compilePattern(pattern)).not.toThrow());

  const refused: EventPattern[] = [
    // @ts-expect-error no list
    { subject: 'a' },
    // @ts-expect-error no operator
    { subject: [{ regex: 'a' }] },
    // @ts-expect-error two operators
    { subject: [{ prefix: 'a', suffix: 'b' }] },
    // @ts-expect-error no string
    { data: { body: { a: [{ prefix: 5 }] } } },
    // @ts-expect-error lists are for anything-but
    { data: { body: { a: [{ prefix: ['x'] }] } } },
    // @ts-expect-error no number
    { data: { body: { a: [{ numeric: ['>', 'x'] }] } } },
    // @ts-expect-error no operator of numbers
    { data: { body: { a: [{ numeric: ['!=', 5] }] } } },
    // @ts-expect-error the upper bound comes first
    { data: { body: { a: [{ numeric: ['<', 40, '>', 30] }] } } },
    // @ts-expect-error strings beside numbers
    { data: { body: { a: [{ 'anything-but': ['x', 5] }] } } },
    // @ts-expect-error no form of anything-but
    { data: { body: { a: [{ 'anything-but': { contains: 'x' } }] } } },
    // @ts-expect-error no boolean
    { data: { body: { a: [{ exists: 'yes' }] } } },
    // @ts-expect-error a list in a list
    { data: { body: { a: [['x']] } } },
    // @ts-expect-error an operator's name in $or
    { data: { body: { $or: [{ prefix: ['x'] }, { b: ['y'] }] } } },
    // @ts-expect-error no list of alternatives
    { $or: { subject: ['a'] } },
  ];
  it.each(refused)('refuses %j, as the engine does', (pattern) => expect(() => compilePattern(pattern)).toThrow());

  it('knows the fields of an event', () => {
    // @ts-expect-error topic is a field of data, or subject
    const misplaced: EventPattern = { topic: ['a'] };
    expect(compilePattern(misplaced).matches({ subject: 'a', data: { topic: 'a' } })).toBe(false);
  });
});

describe('a route overrides options of the sink that its task has', () => {
  const stack = new Stack(new App(), 'Test');
  const stream = new Stream(stack, 'Stream');
  const connector = new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'] });
  const kinesis = { source: new IotTopicSource('a'), sink: new KinesisSink(stream, { partitionKey: 'k' }) };
  const rocketmq = { source: new IotTopicSource('a'), sink: new RocketMqSink(connector, { topic: 'A' }) };

  it('takes the options that apply to single messages', () => {
    new OutflowTask(stack, 'K', {
      ...kinesis,
      route: { routes: [{ sink: { stream: 'Other', partitionKey: '${id}', payload: '${payload}' } }, { sink: {} }] },
    });
    const task: OutflowTask = new OutflowTask(stack, 'R', {
      ...rocketmq,
      route: { routes: [{ filter: { subject: ['a'] }, sink: { topic: 'B', tag: 'hot', delayLevel: 3 } }] },
    });
    const hooks: OutflowTask = new RocketMqHooks(stack, 'H', {
      connector,
      hooks: { 'client.connected': [{ topic: 'C' }] },
    });
    expect([task.taskName, hooks.taskName]).toEqual(['R', 'H']);
  });

  it.each([
    [
      'an option of another sink',
      // @ts-expect-error Kinesis has no topics
      () => new OutflowTask(stack, 'K1', { ...kinesis, route: { routes: [{ sink: { topic: 'B' } }] } }),
      /K1\.route\.routes\.0\.sink\.topic: got an option that routes cannot override/,
    ],
    [
      'an option that holds for the whole sink',
      // @ts-expect-error all routes share the batches
      () => new OutflowTask(stack, 'R1', { ...rocketmq, route: { routes: [{ sink: { batchSize: 1 } }] } }),
      /R1\.route\.routes\.0\.sink\.batchSize: got an option that routes cannot override/,
    ],
    [
      'a value of another type',
      // @ts-expect-error a partition key is a template
      () => new OutflowTask(stack, 'K2', { ...kinesis, route: { routes: [{ sink: { partitionKey: 5 } }] } }),
      /partitionKey: got 5/,
    ],
    [
      'a stream of another type',
      // @ts-expect-error a stream, or its name
      () => new OutflowTask(stack, 'K3', { ...kinesis, route: { routes: [{ sink: { stream: 5 } }] } }),
      /stream: got 5/,
    ],
    [
      'no overrides',
      // @ts-expect-error an empty object takes the sink's target
      () => new OutflowTask(stack, 'K4', { ...kinesis, route: { routes: [{}] } }),
      /routes\.0\.sink: got undefined/,
    ],
  ])('refuses %s', (_, declare, message) => expect(declare).toThrow(message));
});

import { App, Duration, Stack } from 'aws-cdk-lib';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it } from 'vitest';
import {
  ClientEventsSource,
  IotTopicSource,
  KinesisSink,
  NoBuffer,
  OutflowTask,
  QueueBuffer,
  RetryPolicy,
  RocketMqConnector,
  RocketMqHooks,
  RocketMqSink,
  StreamBuffer,
} from '../../lib/index.ts';

const stack = new Stack(new App(), 'Test');
let made = 0;
const nextId = () => `T${made++}`;
const connector = new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'] });
const stream = new Stream(stack, 'Stream');

// What a compiler refuses: the mistakes of plain JavaScript.
// biome-ignore lint/suspicious/noExplicitAny: mistakes have no type
type Mistaken = any;

function declare(props: Mistaken = {}) {
  return new OutflowTask(stack, nextId(), {
    source: new IotTopicSource('a/#'),
    sink: new KinesisSink('s', { partitionKey: '${clientid}' }),
    ...props,
  });
}
const kinesis = (props: Mistaken) => ({ sink: new KinesisSink('s', { partitionKey: 'k', ...props }) });
const rocket = (props: Mistaken) => ({ sink: new RocketMqSink(connector, { topic: 'T', ...props }) });
const clientEvents = (...events: Mistaken[]) => ({ source: new ClientEventsSource({ events }) });
const routed = (route: Mistaken) => ({ route: { routes: [{ sink: {}, ...route }] } });

describe('a filter that no event can match is refused, with the key that was probably meant', () => {
  it.each<[object, RegExp, Mistaken?]>([
    [{ payload: { temp: [1] } }, /\.filter\.payload: got .*; expected data\.body, the payload/],
    [{ detail: { temp: [1] } }, /\.filter\.detail: .*expected data$/],
    [{ topic: ['a'] }, /\.filter\.topic: .*expected data\.topic, or subject/],
    [{ clientid: ['a'] }, /\.filter\.clientid: .*expected data\.clientid/],
    [{ Subject: ['a'] }, /\.filter\.Subject: .*expected subject/],
    [{ data: { temp: [1] } }, /\.filter\.data\.temp: .*expected data\.body\.temp for a field of the payload/],
    [{ data: { clientId: ['a'] } }, /\.filter\.data\.clientId: .*expected clientid/],
    [{ data: { flags: { retained: [true] } } }, /\.flags\.retained: .*expected retain/],
    [{ $or: [{ subject: ['a'] }, { payload: ['x'] }] }, /\.filter\.\$or\.1\.payload: .*data\.body/],
    [{ data: { topic: { a: [1] } } }, /\.filter\.data\.topic: got fields; expected a list of conditions/],
    [{ data: { reason: ['x'] } }, /\.filter\.data\.reason: .*expected/],
    [
      { data: { body: { a: [1] } } },
      /\.filter\.data\.body: .*with dataFormat 'text', data\.body is text/,
      { source: new IotTopicSource('a', { dataFormat: 'text' }) },
    ],
  ])('%j', (filter, message, props) => {
    expect(() => declare({ filter, ...props })).toThrow(message);
    expect(() => declare({ transform: [{ filter }], ...props })).toThrow(/\.transform\.0\.filter/);
    expect(() => declare({ ...routed({ filter }), ...props })).toThrow(/\.route\.routes\.0\.filter/);
  });

  it.each<[object, Mistaken?]>([
    [{ data: { body: { payload: { detail: [1] } }, userProperties: { any: ['a'] } } }],
    [{ data: { body: ['on'] } }, { source: new IotTopicSource('a', { dataFormat: 'text' }) }],
    [{ data: { reason: ['x'], sessionIdentifier: ['y'] } }, clientEvents('disconnected')],
    [{ $or: [{ type: ['a'] }, { data: { systemProperties: { KEYS: ['k'] } } }] }],
  ])('while %j is not', (filter, props) => expect(() => declare({ filter, ...props })).not.toThrow());
});

describe('a placeholder that no message can fill is refused, with the name that was probably meant', () => {
  it.each<[Mistaken, RegExp]>([
    [kinesis({ partitionKey: '${clientId}' }), /\.sink\.partitionKey: got '\$\{clientId\}'; expected clientid/],
    [kinesis({ payload: '{"n":"${node}"}' }), /\.sink\.payload: got '\$\{node\}'; expected nothing: .*no node/],
    [kinesis({ payload: '${payload.a[0]}' }), /got '\$\{payload\.a\[0\]\}'; expected \$\{payload\.a\}, the whole list/],
    [kinesis({ payload: '{{payload.a}}' }), /expected \$\{payload\.a\}: a placeholder is \$\{…\}, not \{\{…\}\}/],
    [kinesis({ payload: '${flags.retained}' }), /expected retain/],
    [kinesis({ payload: '${ts}' }), /expected \$\{timestamp\}/],
    [{ ...kinesis({ payload: '${payload}' }), ...clientEvents('connected') }, /got '\$\{payload\}'; expected one of/],
    [{ ...kinesis({ payload: '${reason}' }), ...clientEvents('connected') }, /got '\$\{reason\}'; expected one of/],
    [rocket({ key: '${clientId}' }), /\.sink\.key: .*expected clientid/],
    [rocket({ payload: { b: '${node}' } }), /\.sink\.payload\.b: got '\$\{node\}'/],
    [rocket({ tag: '$.payload.x' }), /\.sink\.tag: got '\$\.payload\.x'; expected data\.body/],
    [rocket({ tag: '$.data.temp' }), /expected data\.body\.temp/],
    [
      { ...rocket({}), ...routed({ sink: { tag: '${clientId}' } }) },
      /\.route\.routes\.0\.sink\.tag: got '\$\{clientId\}'; expected clientid/,
    ],
  ])('%#', (props, message) => expect(() => declare(props)).toThrow(message));

  it.each<[Mistaken]>([
    [kinesis({ payload: '${payload.any.thing} ${.} ${.clientid} ${$}{clientId} ${pub_props.User-Property.site}' })],
    [kinesis({ payload: '${username.inside.json}' })],
    [{ ...kinesis({ payload: '${reason} ${disconnected_at}' }), ...clientEvents('connected', 'disconnected') }],
    [rocket({ tag: '$.data.body.temp', key: '$..id' })],
  ])('while %# is not', (props) => expect(() => declare(props)).not.toThrow());
});

describe('a route that no message can take is refused', () => {
  it.each<[Mistaken, RegExp]>([
    [routed({ kind: 'mqtt.client.conected' }), /routes\.0\.kind: .*for mqtt\.client\.connected, use another source/],
    [{ ...clientEvents('connected'), ...routed({ kind: 'connected' }) }, /expected 'mqtt\.client\.connected'/],
    [routed({ kind: 'message.publish' }), /got 'message\.publish'; expected 'mqtt\.message\.publish'/],
    [{ route: { routes: { kind: 'x' } } }, /\.route\.routes: got/],
    [{ route: { routes: [null] } }, /\.route\.routes\.0: got null/],
    [{ route: { routes: [{ sink: 'x' }] } }, /\.route\.routes\.0\.sink: got 'x'/],
  ])('%#', (props, message) => expect(() => declare(props)).toThrow(message));
});

describe('a topic filter on which no rule receives a message is refused, with the source to use', () => {
  it.each([
    ['$events/client_connected', /\.source\.filters\.0: got '\$events\/.*ClientEventsSource/],
    ['$share/g/a/#', /without \$share/],
    ['$bridges/mqtt:x', /no source reads another broker/],
  ])('%s', (filter, message) => {
    expect(() => declare({ source: new IotTopicSource(filter) })).toThrow(message);
    const hooks = { 'message.publish': [{ topic: 'T', filter }] };
    expect(() => new RocketMqHooks(stack, nextId(), { connector, hooks })).toThrow(message);
  });
});

describe('a stream that is a buffer', () => {
  it('belongs to one task, and no sink writes to it', () => {
    const mine = new Stream(stack, 'Mine');
    const buffer = () => new StreamBuffer({ stream: mine });
    const first = declare({ buffer: buffer() });
    expect(() => declare({ buffer: buffer() })).toThrow(
      new RegExp(`\\.buffer\\.stream: got the buffer of ${first.node.path}; expected a stream of its own`),
    );
    const imported = Stream.fromStreamArn(stack, 'Imported', mine.streamArn);
    expect(() => declare({ buffer: new StreamBuffer({ stream: imported }) })).toThrow(/a stream of its own/);
    const sink = () => new KinesisSink(mine, { partitionKey: 'k' });
    expect(() => declare({ sink: sink() })).toThrow(/\.sink\.stream: got the stream that is the buffer of .*T\d+;/);
    const other = new Stream(stack, 'Other');
    const own = { sink: new KinesisSink(other, { partitionKey: 'k' }), buffer: new StreamBuffer({ stream: other }) };
    expect(() => declare(own)).toThrow(/\.buffer\.stream: got the stream that is the sink of the same task/);
  });
});

describe('an option that does not exist, or a value of another type, is refused by name', () => {
  const task = (props: Mistaken) => () => declare(props);
  const mq = (props: Mistaken) => () => new RocketMqConnector(stack, nextId(), props);
  const hooks = (props: Mistaken) => () => new RocketMqHooks(stack, nextId(), { connector, ...props });
  it.each<[string, () => unknown, RegExp]>([
    [
      'interval: 3',
      task({ batchPush: { messages: 5, interval: 3 } }),
      /batchPush\.interval: got 3; expected a Duration/,
    ],
    ['batchPush: 5', task({ batchPush: 5 }), /batchPush: got 5; expected an object/],
    ['batchPush.size', task({ batchPush: { size: 5 } }), /batchPush\.size: got an unknown option/],
    [
      "retryPolicy: 'backoff'",
      task({ retryPolicy: 'backoff' }),
      /retryPolicy: got 'backoff'; .*RetryPolicy\.backoff\(\)/,
    ],
    ['sink: stream', task({ sink: stream }), /\.sink: got the Stream Test\/Stream; .*new KinesisSink\(stream/],
    ['sink: undefined', task({ sink: undefined }), /\.sink: got undefined; expected a sink/],
    ['source: text', task({ source: 'a/#' }), /\.source: got 'a\/#'; expected a source/],
    ['buffer: queue', task({ buffer: new Queue(stack, nextId()) }), /\.buffer: got the Queue .*expected a buffer/],
    [
      'deadLetterQueue: url',
      task({ deadLetterQueue: 'https://q' }),
      /\.deadLetterQueue: got 'https:.*expected a queue/,
    ],
    ['requestTtl: 45', task({ requestTtl: 45 }), /\.requestTtl: got 45; expected a Duration/],
    ['enabled: no', task({ enabled: 'no' }), /\.enabled: got 'no'; expected true or false/],
    ['alarms: age', task({ alarms: { oldestMessage: 900 } }), /alarms\.oldestMessage: got 900; expected a Duration/],
    ['no props', () => new OutflowTask(stack, nextId(), undefined as never), /got undefined; expected an object/],
    ['filters: 5', () => new IotTopicSource(5 as never), /filters: got 5; expected a string, or a list/],
    [
      'events: text',
      () => new ClientEventsSource({ events: 'connected' as never }),
      /events: got 'connected'; expected a list/,
    ],
    ['stream: 5', () => new KinesisSink(5 as never, { partitionKey: 'k' }), /KinesisSink\.stream: got 5; expected/],
    ['sink props', () => new KinesisSink('s', undefined as never), /KinesisSink\.props: got undefined/],
    [
      'streams: one',
      () => new KinesisSink('s', { partitionKey: 'k', streams: stream as never }),
      /streams: got the Stream/,
    ],
    [
      'connector: text',
      () => new RocketMqSink('10.0.0.5' as never, { topic: 'T' }),
      /connector: got '10\.0\.0\.5'; expected/,
    ],
    [
      'syncTimeout: 3',
      () => new RocketMqSink(connector, { topic: 'T', syncTimeout: 3 as never }),
      /syncTimeout: got 3/,
    ],
    [
      'retention',
      task({ buffer: new QueueBuffer({ retentionPeriod: 4 } as never) }),
      /buffer\.retentionPeriod: got 4;/,
    ],
    ['queue option', task({ buffer: new QueueBuffer({ retention: 4 } as never) }), /buffer\.retention: got an unknown/],
    [
      'stream option',
      task({ buffer: new StreamBuffer({ shard: 4 } as never) }),
      /buffer\.shard: got an unknown option/,
    ],
    [
      'native option',
      task({ ...kinesis({ payload: '${payload}' }), buffer: new NoBuffer({ payload: 'reserialised', x: 1 } as never) }),
      /buffer\.x: got an unknown option/,
    ],
    [
      'steps: 3',
      task({ retryPolicy: RetryPolicy.custom({ steps: 3 } as never) }),
      /retryPolicy\.steps: got 3; .*a list/,
    ],
    [
      'step option',
      task({ retryPolicy: RetryPolicy.custom({ steps: [{ delay: Duration.seconds(1), count: 2 } as never] }) }),
      /retryPolicy\.steps\.0\.count: got an unknown option/,
    ],
    ['name servers', mq({ nameServers: '10.0.0.5:9876' }), /nameServers: got '10\.0\.0\.5:9876'; expected a list/],
    [
      'credentials',
      mq({ nameServers: ['a:1'], credentials: 'secret' }),
      /credentials: got 'secret'; expected a secret/,
    ],
    ['tls', mq({ nameServers: ['a:1'], tls: 'false' }), /tls: got 'false'; expected true or false/],
    [
      'hook option',
      hooks({ hooks: { 'message.publish': [{ topic: 'T', tags: 'x' }] } }),
      /publish\.0\.tags: got an unknown/,
    ],
    [
      'hook list',
      hooks({ hooks: { 'message.publish': { topic: 'T' } } }),
      /hooks\.message\.publish: got .*expected a list/,
    ],
    ['hooks', hooks({ hooks: 'all' }), /\.hooks: got 'all'; expected an object/],
    ['hooks option', hooks({ hooks: { 'client.connected': [{ topic: 'T' }] }, topic: 'x' }), /\.topic: got an unknown/],
  ])('%s', (_, declaring, message) => expect(declaring).toThrow(message));
});

describe("an error has the user's option and unit", () => {
  const { seconds, millis } = {
    seconds: (n: number) => Duration.seconds(n),
    millis: (n: number) => Duration.millis(n),
  };
  const step = (over: object) => ({ retryPolicy: RetryPolicy.custom({ steps: [{ delay: seconds(1), ...over }] }) });
  it.each<[Mistaken, RegExp]>([
    [
      { batchPush: { messages: 1, interval: seconds(60) } },
      /batchPush\.interval: got 60 seconds; expected 0 to 15 seconds/,
    ],
    [
      { batchPush: { messages: 1, interval: millis(500) } },
      /batchPush\.interval: got 0\.5 seconds; expected whole seconds/,
    ],
    [{ batchPush: { messages: 20_000, interval: seconds(1) } }, /batchPush\.messages: got 20000; expected 1 to 10000/],
    [{ requestTtl: seconds(0) }, /\.requestTtl: got 0 seconds; expected at least 1 second$/],
    [
      step({ delay: seconds(901), upTo: seconds(901) }),
      /retryPolicy\.steps\.0\.delay: got 901 seconds; expected .*900 seconds/,
    ],
    [rocket({ syncTimeout: millis(50) }), /sink\.syncTimeout: got 50 milliseconds; expected at least 100 milliseconds/],
    [{ taskName: 'a b' }, /\.taskName: got 'a b'; expected 1 to 64 letters/],
  ])('%#', (props, message) => expect(() => declare(props)).toThrow(message));
});

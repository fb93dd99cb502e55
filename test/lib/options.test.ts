import { App, CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import {
  ClientEventsSource,
  IotTopicSource,
  type ISource,
  KinesisSink,
  OutflowTask,
  type OutflowTaskProps,
  RetryPolicy,
  RocketMqConnector,
  RocketMqSink,
} from '../../lib/index.ts';

const stack = new Stack(new App(), 'Test');
const token = new CfnParameter(stack, 'Number', { type: 'Number' }).valueAsNumber;
let made = 0;

function declare(props: Partial<OutflowTaskProps>): void {
  new OutflowTask(stack, `T${made++}`, {
    source: new IotTopicSource('t'),
    sink: new KinesisSink('s', { partitionKey: 'k' }),
    ...props,
  });
}

const custom = (...steps: Parameters<typeof RetryPolicy.custom>[0]['steps']) => ({
  retryPolicy: RetryPolicy.custom({ steps }),
});
const seconds = Duration.seconds;

describe('an invalid option for failed deliveries is refused: the error names the option, the value given and the value expected', () => {
  it.each<[string, Partial<OutflowTaskProps>, RegExp]>([
    ['maxConcurrency 1', { maxConcurrency: 1 }, /\.maxConcurrency: got 1; expected a whole number from 2 to 1,000/],
    ['maxConcurrency 1,001', { maxConcurrency: 1001 }, /\.maxConcurrency: got 1001; expected/],
    ['a fraction as maxConcurrency', { maxConcurrency: 2.5 }, /\.maxConcurrency: got 2\.5; expected/],
    ['a token as maxConcurrency', { maxConcurrency: token }, /\.maxConcurrency: got a CDK token, which .*; expected/],
    [
      'a token as rateLimit',
      { maxConcurrency: 2, rateLimit: token },
      /\.rateLimit: got a CDK token, which .*; expected/,
    ],
    ['rateLimit 0', { maxConcurrency: 2, rateLimit: 0 }, /\.rateLimit: got 0; expected a number above 0/],
    ['rateLimit NaN', { maxConcurrency: 2, rateLimit: Number.NaN }, /\.rateLimit: got .*; expected a number above 0/],
    [
      'an infinite rateLimit',
      { maxConcurrency: 2, rateLimit: Infinity },
      /\.rateLimit: got .*; expected a number above 0/,
    ],
    ['rateLimit without maxConcurrency', { rateLimit: 10 }, /\.rateLimit: got 10; expected maxConcurrency with it/],
    ['requestTtl 0', { requestTtl: seconds(0) }, /\.requestTtl: got 0 seconds; expected at least 1 second/],
    [
      'requestTtl of half a second',
      { requestTtl: Duration.millis(500) },
      /\.requestTtl: got 0\.5 seconds; expected whole seconds/,
    ],
    [
      'a token as requestTtl',
      { requestTtl: seconds(token) },
      /\.requestTtl: got a CDK token, which .*; expected a Duration known at/,
    ],
    [
      'a delay of 901 s',
      custom({ delay: seconds(901) }),
      /\.retryPolicy\.steps\.0\.delay: got 901 seconds; expected at most 900 seconds/,
    ],
    [
      'an upper bound of 901 s',
      custom({ delay: seconds(0) }, { delay: seconds(1), upTo: seconds(901) }),
      /\.retryPolicy\.steps\.1\.upTo: got 901 seconds; expected at most 900 seconds/,
    ],
    [
      'a delay from 5 to 4 s',
      custom({ delay: seconds(5), upTo: seconds(4) }),
      /\.retryPolicy\.steps\.0: got .*; expected delay no greater than upTo/,
    ],
    [
      'a step without retries',
      custom({ times: 0, delay: seconds(1) }),
      /\.steps\.0\.times: got 0; expected at least 1/,
    ],
    ['1,001 retries', custom({ times: 1001, delay: seconds(1) }), /\.steps\.0\.times: got 1001; expected at most 1000/],
    [
      '1,001 retries in two steps',
      custom({ times: 1000, delay: seconds(1) }, { delay: seconds(1) }),
      /\.retryPolicy\.steps: got .*; expected at most 1000 retries, all steps together/,
    ],
    [
      'an unknown kind of failure',
      { retryPolicy: RetryPolicy.custom({ steps: [], on: ['tired' as never] }) },
      /\.retryPolicy\.on\.0: got 'tired'; expected one of "throttled"/,
    ],
    [
      'an unknown fault tolerance',
      { faultTolerance: 'some' as never },
      /\.faultTolerance: got 'some'; expected one of "allowed"/,
    ],
    [
      'onExhausted with faults prohibited',
      { faultTolerance: 'prohibited', onExhausted: 'drop' },
      /\.onExhausted: got 'drop'; expected nothing with faultTolerance 'prohibited'/,
    ],
    ['poison with faults allowed', { poison: 'block' }, /\.poison: got 'block'; expected faultTolerance 'prohibited'/],
    ['onExpired without requestTtl', { onExpired: 'drop' }, /\.onExpired: got 'drop'; expected requestTtl with it/],
  ])('%s', (_, props, message) => expect(() => declare(props)).toThrow(message));

  it('accepts the limits themselves', () => {
    expect(() => {
      declare({ maxConcurrency: 2, rateLimit: 0.1, requestTtl: seconds(1), onExpired: 'drop' });
      declare({ maxConcurrency: 1000, faultTolerance: 'prohibited', poison: 'deadLetter' });
      declare({ ...custom({ times: 1000, delay: seconds(900) }), onExhausted: 'drop' });
    }).not.toThrow();
  });
});

describe('the error for an option of EMQX that does not exist here names what to use instead', () => {
  it.each([
    ['poolSize', 'maxConcurrency'],
    ['pool_size', 'maxConcurrency'],
    ['worker_pool_size', 'maxConcurrency'],
    ['bufferSize', 'QueueBuffer'],
    ['max_buffer_bytes', 'QueueBuffer'],
    ['buffer_mode', 'QueueBuffer'],
    ['enable_queue', 'QueueBuffer'],
    ['socketSendBufferSize', 'memorySize'],
    ['sock.sndbuf', 'memorySize'],
    ['sock.recbuf', 'memorySize'],
    ['sock.buffer', 'memorySize'],
    ['sock.read_packets', 'memorySize'],
    ['send_buffer', 'memorySize'],
    ['health_check_interval', 'outflow test-connectivity'],
    ['start_timeout', 'outflow test-connectivity'],
    ['inflight_window', 'rateLimit'],
    ['batch_size', 'batchPush'],
    ['batch_time', 'batchPush'],
    ['producer.batch_size', 'batchPush'],
    ['enable_batch', 'batchPush'],
    ['query_mode', 'every batch is delivered and acknowledged'],
    ['produce', 'every batch is delivered and acknowledged'],
    ['request_ttl', 'requestTtl'],
    ['request_timeout', 'requestTtl'],
    ['max_retries', 'RetryPolicy'],
    ['resume_interval', 'RetryPolicy'],
    ['auto_restart_interval', 'RetryPolicy'],
    ['start_after_created', 'enabled'],
    ['metrics_flush_interval', 'once per batch'],
    ['payload_template', 'payload, a template'],
    ['stream_name', 'first argument'],
    ['deadLetter', 'deadLetterQueue'],
    ['aws_secret_access_key', 'no credentials'],
    ['password', 'no credentials'],
  ])('%s: %s', (name, words) => {
    const mistake = new RegExp(`\\.${name.replaceAll('.', '\\.')}: got an unknown option; expected .*${words}`);
    const given = { [name]: 'canary' } as object;
    expect(() => declare(given)).toThrow(mistake);
    expect(() => declare(given)).not.toThrow(/canary/);
    expect(() => declare({ sink: new KinesisSink('s', { partitionKey: 'k', ...given }) })).toThrow(mistake);
    expect(() => declare({ sink: new KinesisSink('s', { partitionKey: 'k', ...given }) })).not.toThrow(/canary/);
  });

  const connector = (more: object = {}) =>
    new RocketMqConnector(stack, `Mq${made++}`, { nameServers: ['10.0.0.5:9876'], ...more });

  it.each([
    ['refresh_topic_route_interval', 'refreshTopicRouteInterval of the sink'],
    ['produce.sync_timeout', 'syncTimeout of the sink'],
    ['query_mode', "produce of the sink, 'sync' or 'async'"],
    ['inflight_window', 'inflightWindow of the sink'],
    ['producer.batch_size', "batchSize of the sink .*; the task's batchPush"],
    ['servers', 'nameServers, .*, of the RocketMqConnector'],
    ['security_token', 'credentials, a secret .*, of the RocketMqConnector'],
    ['payload_template', 'payload, a template'],
    ['pool_size', '.*maxConcurrency'],
  ])('RocketMqSink, %s: %s', (name, words) => {
    const mistake = new RegExp(`\\.${name.replaceAll('.', '\\.')}: got an unknown option; expected ${words}`);
    const given = { topic: 'A', [name]: 'canary' };
    expect(() => declare({ sink: new RocketMqSink(connector(), given) })).toThrow(mistake);
    expect(() => declare({ sink: new RocketMqSink(connector(), { topic: 'A' }), [name]: 'canary' })).toThrow(mistake);
  });

  it.each([
    ['servers', 'nameServers, or endpoints'],
    ['access_key', 'credentials, a secret'],
    ['enable_ssl', 'tls, and certificateAuthority'],
    ['pool_size', '.*maxConcurrency'],
    ['nameserver', 'nameServers, or endpoints'],
    ['tier', 'one of nameServers, endpoints'],
  ])('RocketMqConnector, %s: %s', (name, words) => {
    const mistake = new RegExp(`Mq\\d+\\.${name}: got an unknown option; expected ${words}`);
    expect(() => connector({ [name]: 'canary' })).toThrow(mistake);
  });

  it.each<[string, ISource, string]>([
    ['IotTopicSource', new IotTopicSource('a', { qos: 1 } as never), 'qos: got an unknown option; expected nothing'],
    ['IotTopicSource', new IotTopicSource('a', { filters: 'b' } as never), "filters: .* expected the source's first"],
    ['IotTopicSource', new IotTopicSource('a', { sql: 'SELECT' } as never), 'sql: .* expected a topic filter'],
    ['ClientEventsSource', new ClientEventsSource({ topic: 'a' } as never), 'topic: .* expected subscribedTo'],
    [
      'ClientEventsSource',
      new ClientEventsSource({ tier: 1 } as never),
      'tier: .* expected one of events, subscribedTo',
    ],
  ])('%s', (_, source, mistake) => {
    expect(() => declare({ source })).toThrow(new RegExp(`\\.source\\.${mistake}`));
  });
});

import { App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Stream, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { describe, expect, it } from 'vitest';
import {
  IotTopicSource,
  KinesisSink,
  OutflowTask,
  type OutflowTaskProps,
  RocketMqConnector,
  RocketMqHooks,
  StreamBuffer,
  type StreamBufferProps,
} from '../../lib/index.ts';
import { resolver } from '../../localstack/one-process/resolve.ts';

function declare(props: Partial<OutflowTaskProps> = {}) {
  const stack = new Stack(new App(), 'Test');
  new OutflowTask(stack, 'T', {
    source: new IotTopicSource('t'),
    sink: new KinesisSink('s', { partitionKey: 'k' }),
    ...props,
  });
  return { stack, template: Template.fromStack(stack) };
}

describe('what a task keeps', () => {
  const hooks = (removalPolicy?: RemovalPolicy) => {
    const stack = new Stack(new App(), 'Test');
    new RocketMqHooks(stack, 'H', {
      connector: new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'] }),
      hooks: { 'message.delivered': [{ topic: 'D' }] },
      deliveredLog: LogGroup.fromLogGroupName(stack, 'Logs', 'l'),
      ...(removalPolicy && { removalPolicy }),
    });
    const { Resources } = Template.fromStack(stack).toJSON();
    return Object.entries<{ Type: string; DeletionPolicy?: string }>(Resources)
      .filter(([id, { Type }]) => id.startsWith('H') && /^AWS::(SQS::Queue|Kinesis::Stream|Logs::LogGroup)$/.test(Type))
      .map(([, { DeletionPolicy }]) => DeletionPolicy);
  };

  it('stays when the task is removed, except after a first deployment that fails', () => {
    expect(hooks()).toEqual(Array(5).fill('RetainExceptOnCreate'));
    const { template } = declare({ buffer: new StreamBuffer() });
    template.hasResource('AWS::Kinesis::Stream', {
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
    });
  });

  it('is deleted with RemovalPolicy.DESTROY, the log of the log reader included', () => {
    expect(hooks(RemovalPolicy.DESTROY)).toEqual(Array(5).fill('Delete'));
  });
});

describe("the task's stream", () => {
  const streamOf = (props: StreamBufferProps) => {
    const { template } = declare({ buffer: new StreamBuffer(props) });
    return Object.values(template.findResources('AWS::Kinesis::Stream'))[0]!.Properties;
  };

  it('has the mode and the shards of the options', () => {
    const onDemand = { StreamModeDetails: { StreamMode: 'ON_DEMAND' } };
    expect(streamOf({})).toMatchObject(onDemand);
    expect(streamOf({})).not.toHaveProperty('ShardCount');
    const provisioned = { StreamModeDetails: { StreamMode: 'PROVISIONED' }, ShardCount: 4 };
    expect(streamOf({ shardCount: 4 })).toMatchObject(provisioned);
    expect(streamOf({ streamMode: StreamMode.PROVISIONED, shardCount: 4 })).toMatchObject(provisioned);
  });

  it.each<[StreamBufferProps, RegExp]>([
    [{ shardCount: 0 }, /T\.buffer\.shardCount: got 0; expected at least 1/],
    [
      { shardCount: 2, streamMode: StreamMode.ON_DEMAND },
      /shardCount: got 2; expected none with StreamMode\.ON_DEMAND/,
    ],
    [{ streamMode: 'LARGE' as never }, /streamMode: got 'LARGE'; expected one of ON_DEMAND, PROVISIONED/],
    [
      {
        shardCount: 2,
        stream: Stream.fromStreamArn(new Stack(), 'S', 'arn:aws:kinesis:eu-west-1:111111111111:stream/s'),
      },
      /shardCount: got 2; expected none with stream/,
    ],
  ])('is refused with %#', (props, message) => expect(() => streamOf(props)).toThrow(message));

  it('is read without a batching window, if the interval is 0', () => {
    const { stack, template } = declare({
      buffer: new StreamBuffer(),
      batchPush: { messages: 500, interval: Duration.seconds(0) },
    });
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 500,
      MaximumBatchingWindowInSeconds: 0,
    });
    Annotations.fromStack(stack).hasNoInfo('*', Match.stringLikeRegexp('wait up to 1 second'));
  });
});

describe('the concurrency of a queue', () => {
  it('is unlimited again when maxConcurrency is removed: the mapping gets an empty object', () => {
    const { stack, template } = declare();
    const mappings = Object.entries(template.findResources('AWS::Lambda::EventSourceMapping')).filter(([id]) =>
      id.startsWith('T'),
    );
    expect(mappings).toHaveLength(2);
    const assembled = { name: 'Test', template: template.toJSON(), tasks: [], folder: '', notes: new Set<string>() };
    const resolve = resolver(assembled, [assembled]);
    for (const [, { Properties }] of mappings) expect(resolve(Properties.ScalingConfig)).toEqual({});
    const note = Match.stringLikeRegexp("^maxConcurrency: without it, a backlog .* the account's quota");
    Annotations.fromStack(stack).hasInfo('/Test/T', note);
    Annotations.fromStack(declare({ maxConcurrency: 10 }).stack).hasNoInfo('*', note);
  });
});

describe('a stack of many tasks', () => {
  it('is refused above the limit of CloudFormation, and the error names several stacks', () => {
    const app = new App();
    const stack = new Stack(app, 'Plant');
    for (let n = 0; n < 30; n++)
      new OutflowTask(new Construct(stack, `Line${n}`), 'T', {
        source: new IotTopicSource(`line${n}/#`),
        sink: new KinesisSink('s', { partitionKey: 'k' }),
        taskName: `Line${n}`,
      });
    expect(() => app.synth()).toThrow(
      /Plant: got 30 tasks in a stack of \d{3} resources; expected at most 500 resources, .*nested stacks/,
    );
  });
});

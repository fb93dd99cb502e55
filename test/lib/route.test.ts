import { App, CfnParameter, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import { Key } from 'aws-cdk-lib/aws-kms';
import { describe, expect, it } from 'vitest';
import {
  type Hooks,
  IotTopicSource,
  type ISink,
  KinesisSink,
  type KinesisSinkProps,
  OutflowTask,
  RocketMqConnector,
  RocketMqHooks,
  RocketMqSink,
  type Route,
} from '../../lib/index.ts';
import { readAssembly, readSpec } from '../../localstack/one-process/assembly.ts';

const env = { account: '111111111111', region: 'eu-west-1' };
const arn = (name: string) => `arn:aws:kinesis:eu-west-1:111111111111:stream/${name}`;

function declare(make: (stack: Stack) => { sink: ISink; routes: Route[] }) {
  const stack = new Stack(new App(), 'Test', { env });
  new OutflowTask(stack, 'T', routed(make(stack)));
  return found(stack);
}

const routed = ({ sink, routes }: { sink: ISink; routes: Route[] }) => ({
  source: new IotTopicSource('t/#'),
  sink,
  route: { routes },
});

function found(stack: Stack) {
  const template = Template.fromStack(stack);
  const written = Object.values(template.findResources('AWS::IAM::Policy'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .filter(({ Action }) => Action === 'kinesis:PutRecords')
    // The known parts of an ARN that is formatted with tokens.
    .flatMap(({ Resource }) => (Array.isArray(Resource) ? Resource : [Resource]))
    .map((one) => one['Fn::GetAtt']?.[0] ?? one['Fn::Join']?.[1].join('').replace('[object Object]', 'aws') ?? one);
  const [worker] = Object.values(
    template.findResources('AWS::Lambda::Function', {
      Properties: { Description: Match.stringLikeRegexp('^Outflow task') },
    }),
  );
  const { TARGET_ARN: target, ...variables } = worker!.Properties.Environment.Variables;
  const targetArn = typeof target === 'string' ? target : (target['Fn::Join']?.[1].at(-1) ?? target);
  return { stack, template, written: written.sort(), targetArn, variables };
}

const kinesis = (stream: ConstructorParameters<typeof KinesisSink>[0], props: Partial<KinesisSinkProps> = {}) =>
  new KinesisSink(stream, { partitionKey: 'k', ...props });
const alarms: Route = { topicFilter: 't/alarms', sink: { stream: 'Alarms' } };

describe('routes to other streams', () => {
  it('may be written to, each by name, and a dead letter names the stream of its message', () => {
    const { written, targetArn } = declare(() => ({ sink: kinesis('Main'), routes: [alarms, { sink: {} }] }));
    expect(written).toEqual([arn('Alarms'), arn('Main')]);
    expect(targetArn).toMatch(/:stream\/\*$/);
  });

  it("replace the sink's stream if every route names another one", () => {
    const { written, targetArn } = declare(() => ({ sink: kinesis('Main'), routes: [alarms] }));
    expect(written).toEqual([arn('Alarms')]);
    expect(targetArn).toMatch(/:stream\/Alarms$/);
  });

  it("without a stream keep the sink's stream", () => {
    const { written, targetArn } = declare(() => ({
      sink: kinesis('Main'),
      routes: [{ sink: { partitionKey: 'x' } }],
    }));
    expect(written).toEqual([arn('Main')]);
    expect(targetArn).toMatch(/:stream\/Main$/);
  });

  it('may be constructs, with their names and keys', () => {
    const { stack, template, written, variables } = declare((stack) => {
      const hot = new Stream(stack, 'Hot', { encryptionKey: new Key(stack, 'Key') });
      return { sink: kinesis('Main'), routes: [{ topicFilter: 't/hot', sink: { stream: hot } }, { sink: {} }] };
    });
    expect(written).toEqual([expect.stringMatching(/^Hot/), arn('Main')]);
    expect(variables).toMatchObject({ ROUTE_ROUTES_0_SINK_STREAM: { Ref: expect.stringMatching(/^Hot/) } });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Action: 'kms:GenerateDataKey' })]) },
    });
    const [read] = readAssembly((stack.node.root as App).synth().directory);
    const spec = readSpec(read!, read!.template.Resources![read!.tasks[0]!.worker!]!) as {
      route: { routes: { sink: object }[] };
    };
    expect(spec.route.routes[0]!.sink).toEqual({ stream: { $env: 'ROUTE_ROUTES_0_SINK_STREAM' } });
  });

  it('with placeholders need the streams that they may render, also with a static one', () => {
    const bySite: Route = { sink: { stream: 's-${payload.site}' } };
    expect(() => declare(() => ({ sink: kinesis('Main'), routes: [bySite] }))).toThrow(
      /T\.sink\.streams: got undefined; expected the streams that 's-\$\{payload\.site\}' may render/,
    );
    const { written } = declare((stack) => ({
      sink: kinesis('Main', { streams: [new Stream(stack, 'A')] }),
      routes: [bySite, { sink: {} }],
    }));
    expect(written).toEqual([expect.stringMatching(/^A/), arn('Main')]);
  });

  it('streams without placeholders are refused, also with a construct', () => {
    for (const routes of [[], [{ sink: {} }]])
      expect(() =>
        declare((stack) => {
          const own = new Stream(stack, 'Own');
          const sink = kinesis(own, { streams: [own] });
          if (routes.length > 0) return { sink, routes };
          new OutflowTask(stack, 'T', { source: new IotTopicSource('t'), sink });
          return { sink, routes };
        }),
      ).toThrow(/T\.sink\.streams: got a list; expected none/);
  });
});

describe('routes to other topics of RocketMQ', () => {
  const mq = (stack: Stack) => new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'] });

  it('name the topic of a message in its dead letter', () => {
    const targetOf = (...sinks: Route['sink'][]) =>
      declare((stack) => ({
        sink: new RocketMqSink(mq(stack), { topic: 'A' }),
        routes: sinks.map((sink) => ({ sink })),
      })).targetArn;
    expect(targetOf({ topic: 'B' }, {})).toBe('rocketmq://10.0.0.5:9876/*');
    expect(targetOf({ topic: 'B' })).toBe('rocketmq://10.0.0.5:9876/B');
    expect(targetOf({ topic: 'plant-${topic}' })).toBe('rocketmq://10.0.0.5:9876/*');
    expect(targetOf({ tag: 'x' })).toBe('rocketmq://10.0.0.5:9876/A');
  });

  it('do so with hooks', () => {
    const hooks: Hooks = { 'client.connected': [{ topic: 'In' }], 'client.disconnected': [{ topic: 'Out' }] };
    const stack = new Stack(new App(), 'Test', { env });
    new RocketMqHooks(stack, 'T', { connector: mq(stack), hooks });
    expect(found(stack).targetArn).toBe('rocketmq://10.0.0.5:9876/*');
  });

  it('may be only known at deployment', () => {
    const { variables } = declare((stack) => ({
      sink: new RocketMqSink(mq(stack), { topic: 'A' }),
      routes: [{ sink: { topic: new CfnParameter(stack, 'Topic').valueAsString } }],
    }));
    expect(variables).toMatchObject({ ROUTE_ROUTES_0_SINK_TOPIC: { Ref: 'Topic' } });
  });
});

describe('an option that routes cannot override is refused by name', () => {
  it.each([
    [{ nameServers: '10.9.9.9:9876' }, 'nameServers'],
    [{ topic: 'B', namespace: 'other' }, 'namespace'],
    [{ tls: false }, 'tls'],
    [{ batchSize: 1 }, 'batchSize'],
    [{ password: 'canary' }, 'password'],
  ])('%j', (sink, option) => {
    const make = () =>
      declare((stack) => ({
        sink: new RocketMqSink(new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'] }), { topic: 'A' }),
        routes: [{ sink: {} }, { sink }],
      }));
    expect(make).toThrow(
      new RegExp(
        `T\\.route\\.routes\\.1\\.sink\\.${option}: got an option that routes cannot override; expected one of topic, payload`,
      ),
    );
    expect(make).not.toThrow(/canary/);
  });

  it('also with Kinesis', () => {
    expect(() => declare(() => ({ sink: kinesis('Main'), routes: [{ sink: { maxRecords: 1 } }] }))).toThrow(
      /T\.route\.routes\.0\.sink\.maxRecords: got .*; expected one of stream, partitionKey, explicitHashKey, payload/,
    );
  });
});

import { App, CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import {
  IotTopicSource,
  NoBuffer,
  OutflowTask,
  type RepublishRouteOptions,
  RepublishSink,
  type RepublishSinkProps,
} from '../../lib/index.ts';

function declare(
  props: RepublishSinkProps,
  { filter = 't/#', routes }: { filter?: string; routes?: readonly RepublishRouteOptions[] } = {},
) {
  const stack = new Stack(new App(), 'Test');
  new OutflowTask(stack, 'Echo', {
    source: new IotTopicSource(filter),
    sink: new RepublishSink(props),
    ...(routes && { route: { routes: routes.map((sink) => ({ sink })) } }),
  });
  return stack;
}

/** What the worker may do in AWS IoT Core: actions, and topics without the beginning of their ARN. */
function allowed(stack: Stack): [actions: string[], topics: string[]] {
  const policies = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
  const statements = policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
  const [{ Action, Resource }, ...more] = statements.filter(({ Action }) => String(Action).includes('iot:Publish'));
  expect(more).toEqual([]);
  const arns = (Array.isArray(Resource) && !('Fn::Join' in Resource) ? Resource : [Resource]) as object[];
  const texts = arns.map((arn) => JSON.stringify(arn));
  for (const text of texts) expect(text).toMatch(/:iot:.*AWS::Region.*AWS::AccountId.*:topic\//);
  return [Action, texts.map((text) => /:topic\/(.*?)"/.exec(text)![1]!)];
}

const ACTIONS = ['iot:Publish', 'iot:GetRetainedMessage'];

describe('RepublishSink', () => {
  it.each<[string, RepublishSinkProps, string[]]>([
    ['one topic', { topic: 'out/all' }, ['out/all']],
    ['topics that begin alike', { topic: 'sub/${topic}' }, ['sub/*']],
    ['the topics of a list', { topic: 'sub/${payload.x}', topics: ['sub/a', 'sub/b/*'] }, ['sub/a', 'sub/b/*']],
    ['the topics of a list, for a JSONPath', { topic: '$.data.body.to', topics: ['out/*'] }, ['out/*']],
    ['a topic with characters of policies', { topic: 'a*?$b' }, ['a${*}${?}${$}b']],
  ])('may publish to %s', (_, props, topics) => {
    expect(allowed(declare(props))).toEqual([ACTIONS, topics]);
  });

  it('may retain messages only if an option allows it', () => {
    const topic = 'sub/${topic}';
    expect(allowed(declare({ topic, retain: false }))[0]).toEqual(ACTIONS);
    expect(allowed(declare({ topic, retain: '${flags.retain}' }))[0]).toContain('iot:RetainPublish');
    expect(allowed(declare({ topic }, { routes: [{ retain: true }] }))[0]).toContain('iot:RetainPublish');
  });

  it('may publish to the topics of its routes, and to no other', () => {
    const routes = [{ topic: 'alarm' }, { topic: 'sub/${clientid}' }];
    expect(allowed(declare({ topic: 'unused' }, { routes }))[1]).toEqual(['alarm', 'sub/*']);
  });

  it.each<[RegExp, RepublishSinkProps]>([
    [/Echo\.sink\.topics: got undefined; expected the topics that '\$\{topic\}' may render/, { topic: '${topic}' }],
    [/Echo\.sink\.topics: got undefined/, { topic: '$.data.body.to' }],
    [/Echo\.sink\.topics: .* none without placeholders/, { topic: 'out', topics: ['out'] }],
    [/Echo\.sink\.topics\.0: .* a prefix of topic names/, { topic: '${topic}', topics: ['$aws/*'] }],
    [/Echo\.sink\.topics\.0: .* a prefix of topic names/, { topic: '${topic}', topics: ['*'] }],
    [/Echo\.sink\.topic: got '\$aws\/rules\/r'; expected a topic name: 1 to 256 bytes/, { topic: '$aws/rules/r' }],
    [/Echo\.sink\.topic: .* does not begin with \$/, { topic: '$aws/rules/r/${topic}' }],
    [/Echo\.sink\.topic: .* does not begin with \$/, { topic: '${$}SYS/${topic}' }],
    [/Echo\.sink\.topic: got 'a\/#'/, { topic: 'a/#' }],
    [
      /Echo\.sink\.retain: got '\$\{falgs\.retain\}'; expected \$\{flags\.retain\}/,
      { topic: 'a', retain: '${falgs.retain}' },
    ],
    [/Echo\.sink\.qos: got 3/, { topic: 'a', qos: 3 as 2 }],
    [
      /Echo\.sink\.messageExpiry: got 604801 seconds; expected at most 604800 seconds/,
      { topic: 'a', messageExpiry: Duration.seconds(604_801) },
    ],
    [/Echo\.sink\.template: .*expected payload/, { topic: 'a', template: 'x' } as RepublishSinkProps],
  ])('refuses at synth: %s', (message, props) => {
    expect(() => declare(props)).toThrow(InvalidOptionError);
    expect(() => declare(props)).toThrow(message);
  });

  it('refuses a topic that the task itself reads, literally or rendered', () => {
    const synth = (props: RepublishSinkProps, filter: string) => () =>
      (declare(props, { filter }).node.root as App).synth();
    expect(synth({ topic: 'sub/${topic}' }, 't/#')).not.toThrow();
    expect(synth({ topic: 'sub/${topic}' }, '#')).toThrow(/Echo\.sink: got 'sub\/\$\{topic\}'; expected a topic/);
    expect(synth({ topic: '$.data.body.to', topics: ['t/x/*'] }, 't/#')).toThrow(/Echo\.sink: got 't\/x\/#'/);
    expect(synth({ topic: '$.data.body.to', topics: ['out/*'] }, 't/#')).not.toThrow();
    expect(synth({ topic: 't/a' }, 't/#')).toThrow(/Echo\.sink: got 't\/a'/);
  });

  it('has its message expiry in seconds, on routes too', () => {
    const stack = new Stack(new App(), 'Test');
    const sink = new RepublishSink({ topic: 'a', messageExpiry: Duration.minutes(2) });
    const { spec } = new OutflowTask(stack, 'Echo', {
      source: new IotTopicSource('t/#'),
      sink,
      route: { routes: [{ sink: { messageExpiry: '${payload.ttl}' } }] },
    });
    expect(spec).toMatchObject({
      sink: { messageExpirySeconds: 120 },
      route: { routes: [{ sink: { messageExpirySeconds: '${payload.ttl}' } }] },
    });
    expect(() => new RepublishSink({ topic: 'a', messageExpiry: Duration.millis(500) })).toThrow(
      /RepublishSink\.messageExpiry/,
    );
    expect(() => new RepublishSink({ topic: 'a', messageExpiry: 60 as never })).toThrow(
      /RepublishSink\.messageExpiry: got 60; expected a string, or a Duration/,
    );
  });

  it('has a topic that is only known at deployment in its environment', () => {
    const stack = new Stack(new App(), 'Test');
    const parameter = new CfnParameter(stack, 'Topic');
    new OutflowTask(stack, 'Echo', {
      source: new IotTopicSource('#'),
      sink: new RepublishSink({ topic: parameter.valueAsString }),
    });
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ SINK_TOPIC: { Ref: 'Topic' } }) },
    });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: ACTIONS,
            Resource: { 'Fn::Join': ['', Match.arrayWith([':topic/', { Ref: 'Topic' }])] },
          }),
        ]),
      },
    });
  });

  it('warns that AWS IoT Core has no QoS 2', () => {
    const warning = Match.stringLikeRegexp('qos: got 2; AWS IoT Core has QoS 0 and 1');
    Annotations.fromStack(declare({ topic: 'a', qos: 2 })).hasWarning('/Test/Echo', warning);
    Annotations.fromStack(declare({ topic: 'a' }, { routes: [{ qos: '2' }] })).hasWarning('/Test/Echo', warning);
    Annotations.fromStack(declare({ topic: 'a', qos: '${qos}' })).hasNoWarning('*', Match.anyValue());
  });

  it('names its target in dead letters', () => {
    const targets = (props: RepublishSinkProps) => {
      const functions = Template.fromStack(declare(props)).findResources('AWS::Lambda::Function');
      return JSON.stringify(Object.values(functions)).match(/:topic\/[^"]*/g);
    };
    expect(targets({ topic: 'out' })).toEqual([':topic/out']);
    expect(targets({ topic: '${topic}', topics: ['a', 'b/*'] })).toEqual([':topic/*']);
  });

  it('needs a buffer', () => {
    const stack = new Stack(new App(), 'Test');
    const task = () =>
      new OutflowTask(stack, 'Echo', {
        source: new IotTopicSource('t/#'),
        sink: new RepublishSink({ topic: 'out' }),
        buffer: new NoBuffer({ payload: 'reserialised' }),
      });
    expect(task).toThrow(InvalidOptionError);
  });
});

import { App, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { describe, expect, it } from 'vitest';
import type { TaskSpec } from '../../lambdas/core/spec.ts';
import { renderIotTemplate } from '../../lambdas/core/sql/aws/engine.ts';
import { tryTask } from '../../lambdas/testing/index.ts';
import {
  ClientEventsSource,
  type Hooks,
  KinesisSink,
  OutflowTask,
  RocketMqConnector,
  RocketMqHooks,
  type RocketMqHooksProps,
  StreamBuffer,
} from '../../lib/index.ts';
import { enableEntries } from '../../lib/source/delivered-log.ts';
import { readAssembly, readSpec } from '../../localstack/one-process/assembly.ts';

const all: Hooks = {
  'client.connected': [{ topic: 'ClientConnected' }],
  'client.disconnected': [{ topic: 'ClientDisconnected' }],
  'session.subscribed': [{ filter: 'a/#', topic: 'SessionSubscribed' }],
  'session.unsubscribed': [{ topic: 'SessionUnsubscribed' }],
  'message.publish': [
    { filter: 'a/#', topic: 'A' },
    { filter: '+/1', topic: 'One' },
    { filter: 'a/b', topic: 'B' },
  ],
};

function declare(hooks: Hooks, props: Partial<RocketMqHooksProps> = {}) {
  const stack = new Stack(new App(), 'Plant');
  const connector = new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'] });
  const task = new RocketMqHooks(stack, 'Hooks', { connector, hooks, ...props });
  return { stack, task, template: () => Template.fromStack(stack) };
}
const rulesOf = (template: Template) =>
  Object.values(template.findResources('AWS::IoT::TopicRule')).map(
    ({ Properties }) =>
      Properties['TopicRulePayload'] as { Sql: string; Actions: { Kinesis?: { PartitionKey: string } }[] },
  );

describe('RocketMqHooks', () => {
  const sent = async (props: Partial<RocketMqHooksProps>, payload: string | Uint8Array) => {
    const { stack } = declare({ 'message.publish': [{ topic: 'P' }] }, props);
    const [read] = readAssembly((stack.node.root as App).synth().directory);
    const spec = readSpec(read!, read!.template.Resources![read!.tasks[0]!.worker!]!);
    const message = { topic: 'a/x', clientid: 'd1', payload, timestamp: 5 };
    const { requests } = await tryTask(spec, message);
    return JSON.parse(`${requests![0]!['payload']}`);
  };

  it('has the node that the task names, literally, and base64 payloads by default (B10, B14)', async () => {
    const base = { client_id: 'd1', username: null, topic: 'a/x', qos: null, ts: 5 };
    expect(await sent({}, 'text')).toEqual({ ...base, payload: 'dGV4dA==', node: null });
    expect(await sent({ node: 'emqx@${id}$.a' }, 'text')).toMatchObject({ node: 'emqx@${id}$.a' });
  });

  it('has text payloads with plain, and marks those that are base64 because they are not UTF-8', async () => {
    const plain = { encodePayloadType: 'plain' } as const;
    expect(await sent(plain, 'text')).toMatchObject({ payload: 'text', payload_encoding: null });
    const binary = Uint8Array.of(255, 0, 1);
    expect(await sent(plain, binary)).toMatchObject({ payload: '/wAB', payload_encoding: 'base64' });
  });

  it('makes a topic rule per event and topic filter, one queue and one worker (B10–B15)', () => {
    const { template } = declare(all);
    const from = rulesOf(template()).map(({ Sql }) => Sql.replace(/^.* AS kind,.* FROM /, ''));
    expect(from).toEqual([
      "'$aws/events/presence/connected/#'",
      "'$aws/events/presence/disconnected/#'",
      "'$aws/events/subscriptions/subscribed/#'",
      "'$aws/events/subscriptions/unsubscribed/#'",
      expect.stringMatching(/^'a\/#' WHERE \(NOT regexp_matches/),
      "'+/1'",
    ]);
    const kinds = rulesOf(template()).map(({ Sql }) => / '(\S+)' AS kind/.exec(Sql)![1]);
    expect(kinds).toEqual([
      'mqtt.client.connected',
      'mqtt.client.disconnected',
      'mqtt.session.subscribed',
      'mqtt.session.unsubscribed',
      'mqtt.message.publish',
      'mqtt.message.publish',
    ]);
  });

  it('reads delivered messages from a log, with a function of its own (B16)', () => {
    const { stack, template } = declare(
      { 'message.delivered': [{ filter: 'a/#', topic: 'D' }] },
      {
        deliveredLog: LogGroup.fromLogGroupName(new Stack(), 'IotLogs', '/aws/iot/publish-out'),
      },
    );
    template().hasResourceProperties('AWS::Logs::SubscriptionFilter', {
      LogGroupName: '/aws/iot/publish-out',
      FilterPattern: '{ ($.eventType = "Publish-Out") && ($.status = "Success") }',
    });
    template().hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
      MaximumEventAgeInSeconds: 21_600,
      MaximumRetryAttempts: 2,
      DestinationConfig: { OnFailure: { Destination: Match.anyValue() } },
    });
    template().hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ TOPIC_FILTERS: '["a/#"]' }) },
    });
    const command = `set-v2-logging-options --event-configurations.*Publish-Out.*/aws/iot/publish-out`;
    Annotations.fromStack(stack).hasInfo('*', Match.stringLikeRegexp(command));
  });

  it('adds its event to the logging options of the account, and keeps the others', () => {
    const commands = enableEntries('/aws/iot/publish-out').split('\n');
    const [, filter] = /jq -c '(.*)'\)"$/.exec(commands.at(-1)!)!;
    const [, added] = /\+ (\[.*\])$/.exec(filter!)!;
    expect(JSON.parse(added!)).toEqual([
      { eventType: 'Publish-Out', logLevel: 'INFO', logDestination: '/aws/iot/publish-out' },
    ]);
    expect(filter).toMatch(/^\[\(\. \/\/ \[\]\)\[\] \| select\(\.eventType != "Publish-Out"\)\] \+ /);
    const documents = commands.flatMap((command) => /-policy-document '(.*)'$/.exec(command)?.[1] ?? []);
    expect(documents.map((text) => JSON.parse(text).Statement)).toEqual([
      [{ Effect: 'Allow', Principal: { Service: 'iot.amazonaws.com' }, Action: 'sts:AssumeRole' }],
      [
        {
          Effect: 'Allow',
          Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          Resource: 'arn:aws:logs:*:*:log-group:/aws/iot/publish-out:*',
        },
      ],
    ]);
  });

  it('sends to the topics of the plugin’s own configuration by default', () => {
    const topicsOf = (props: Partial<RocketMqHooksProps>) => {
      const app = new App();
      const stack = new Stack(app, 'Plant');
      const connector = new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'] });
      new RocketMqHooks(stack, 'Hooks', { connector, ...props });
      const [read] = readAssembly(app.synth().directory);
      const spec = readSpec(read!, read!.template.Resources![read!.tasks[0]!.worker!]!) as Pick<TaskSpec, 'route'>;
      return spec.route!.routes.map(({ topicFilter, sink }) => [sink['topic'], topicFilter]);
    };
    const published = [
      ['ClientConnected', undefined],
      ['ClientDisconnected', undefined],
      ['SessionSubscribed', '#'],
      ['SessionUnsubscribed', '#'],
      ['MessagePublish', '#'],
    ];
    expect(topicsOf({})).toEqual(published);
    const deliveredLog = LogGroup.fromLogGroupName(new Stack(), 'IotLogs', '/aws/iot/publish-out');
    expect(topicsOf({ deliveredLog })).toEqual([...published, ['MessageDeliver', '#']]);
  });

  it.each<[string, Hooks, RegExp]>([
    [
      'message.acked',
      { 'message.acked': [{ topic: 'Acked' }] },
      /Hooks\.hooks\.message\.acked: .*PUBACK.*SendDirectMessage/,
    ],
    [
      'message.delivered without its log',
      { 'message.delivered': [{ topic: 'D' }] },
      /Hooks\.deliveredLog: .*set-v2-logging-options/s,
    ],
    [
      'a filter for connections',
      { 'client.connected': [{ topic: 'C', filter: '#' } as never] },
      /client\.connected\.0\.filter: got '#'/,
    ],
    [
      'an unknown event',
      { 'message.dropped': [{ topic: 'C' }] } as never,
      /Hooks\.hooks: got 'message\.dropped'; expected one of client\.connected/,
    ],
    ['no hook', {}, /Hooks\.hooks: .*expected at least one hook/],
    [
      'a topic that RocketMQ does not allow',
      { 'client.connected': [{ topic: 'a/b' }] },
      /sink\.topic: got 'a\/b'; expected 1 to 127 letters, digits/,
    ],
    ['an invalid topic filter', { 'message.publish': [{ topic: 'A', filter: 'a#' }] }, /got 'a#'; expected '#' alone/],
  ])('refuses %s', (_, hooks, wanted) => {
    expect(() => declare(hooks)).toThrow(wanted);
  });
});

describe('ClientEventsSource', () => {
  const task = (source: ClientEventsSource) => {
    const stack = new Stack(new App(), 'Plant');
    new OutflowTask(stack, 'Events', {
      source,
      buffer: new StreamBuffer(),
      sink: new KinesisSink(new Stream(stack, 'Out'), { partitionKey: '${clientid}' }),
    });
    return Template.fromStack(stack);
  };

  it('puts the events of a client into one shard, also if its id contains slashes', () => {
    const rules = rulesOf(task(new ClientEventsSource()));
    expect(rules).toHaveLength(4);
    for (const { Actions } of rules) {
      const message = { topic: 't', payload: Buffer.from('{"clientId":"plant/1"}') };
      expect(renderIotTemplate(Actions[0]!.Kinesis!.PartitionKey, message)).toBe('plant/1');
    }
  });

  it('refuses an unknown event', () => {
    const events = ['connected', 'connect_failed'] as never;
    expect(() => new ClientEventsSource({ events })).toThrow(
      /got 'connect_failed'; expected one or more of connected, dis/,
    );
    expect(() => new ClientEventsSource({ events: [] })).toThrow(/got .*; expected one or more of connected/);
  });
});

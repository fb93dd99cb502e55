import { App, CfnParameter, Fn, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it } from 'vitest';
import {
  IotTopicSource,
  KinesisSink,
  OutflowTask,
  RocketMqConnector,
  RocketMqHooks,
  RocketMqSink,
  StreamBuffer,
} from '../../lib/index.ts';
import { declared, ofType } from '../security/declared.ts';

const source = () => new IotTopicSource('t');
const newStack = (id = 'Test') => new Stack(new App(), id);

const versionOf = (stack: Stack) =>
  Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Version'))[0]!.Properties;

/** The resources, parameters and exports that a value of a template refers to. */
function referencesIn(value: unknown): string[] {
  const found = JSON.stringify(value) ?? '';
  return [...found.matchAll(/"(?:Ref|Fn::ImportValue)":"([^"]+)"|"Fn::GetAtt":\["([^"]+)"/g)].map(
    ([, ref, attribute]) => ref ?? attribute!,
  );
}

describe('a published version', () => {
  it('changes with the stream, the dead-letter queue and the secrets that the environment names', () => {
    const stack = newStack();
    new OutflowTask(stack, 'T', {
      source: source(),
      sink: new KinesisSink(new Stream(stack, 'Sink'), { partitionKey: 'k' }),
      deadLetterQueue: new Queue(stack, 'Dead'),
    });
    expect(
      referencesIn(versionOf(stack).Description)
        .map((id) => id.slice(0, -8))
        .sort(),
    ).toEqual(['Dead', 'Sink']);

    const other = newStack('Other');
    const mq = new RocketMqConnector(other, 'Mq', {
      nameServers: [`${new CfnParameter(other, 'Server').valueAsString}:9876`],
      credentials: new Secret(other, 'Credentials'),
      certificateAuthority: new Secret(other, 'Authority'),
    });
    new OutflowTask(other, 'T', {
      source: source(),
      sink: new RocketMqSink(mq, { topic: new CfnParameter(other, 'Topic').valueAsString }),
    });
    const { Description } = versionOf(other);
    expect(
      referencesIn(Description)
        .map((id) => id.replace(/[0-9A-F]{8}$/, ''))
        .sort(),
    ).toEqual(
      ['Authority', 'Credentials', 'Server', 'Topic'], // the values of parameters change without the template
    );
    // The last part of an ARN: all 256 characters of a description are for what differs.
    expect(JSON.stringify(Description)).toContain('{"Fn::Select":[6,{"Fn::Split":[":",{"Ref":"Credentials');
  });

  it("changes with another stack's stream", () => {
    const app = new App();
    const stream = new Stream(new Stack(app, 'Streams'), 'Sink');
    const stack = new Stack(app, 'Tasks');
    new OutflowTask(stack, 'T', { source: source(), sink: new KinesisSink(stream, { partitionKey: 'k' }) });
    expect(JSON.stringify(versionOf(stack).Description)).toContain('"Fn::ImportValue"');
  });

  it('has no other description if the task makes all that the environment names', () => {
    const stack = newStack();
    new OutflowTask(stack, 'T', { source: source(), sink: new KinesisSink('s', { partitionKey: 'k' }) });
    expect(versionOf(stack)).not.toHaveProperty('Description');
  });

  it('keeps its description within the 256 characters of AWS Lambda, and warns of values without room', () => {
    const stack = newStack();
    const names = ['A', 'B', 'C'].map((id) => new CfnParameter(stack, id).valueAsString);
    const mq = new RocketMqConnector(stack, 'Mq', { nameServers: names.map((name) => `${name}:9876`) });
    new OutflowTask(stack, 'T', { source: source(), sink: new RocketMqSink(mq, { topic: Fn.importValue('topic') }) });
    expect(referencesIn(versionOf(stack).Description)).toHaveLength(3);
    Annotations.fromStack(stack).hasWarning('/Test/T', Match.stringLikeRegexp('room for 3 of the 4 values'));
  });

  it('covers every value that a worker of any buffer takes from outside its task', () => {
    const stack = newStack();
    const dead = new Queue(stack, 'Dead');
    const stream = new Stream(stack, 'Buffer');
    const sink = new KinesisSink(new Stream(stack, 'Sink'), { partitionKey: 'k' });
    new OutflowTask(stack, 'T', {
      source: source(),
      sink,
      buffer: new StreamBuffer({ stream }),
      deadLetterQueue: dead,
    });
    const [worker] = ofType(Template.fromStack(stack).toJSON()['Resources'], 'AWS::Lambda::Function').find(([id]) =>
      id.startsWith('TWorker'),
    )!;
    const { Environment } = Template.fromStack(stack).toJSON()['Resources'][worker].Properties;
    const outside = referencesIn(Environment).filter((id) => !/^(AWS::|OutflowControl|T(Rule|Queue|State))/.test(id));
    const described = referencesIn(versionOf(stack).Description);
    expect([...new Set(outside)].filter((id) => !described.includes(id))).toEqual([]);
  });
});

describe('the control function and the log reader', () => {
  it.each(declared())('have no version in %s, so that a replaced value reaches them at once', (_, resources) => {
    const versioned = ofType(resources, 'AWS::Lambda::Version').map(
      ([, { Properties }]) => Properties.FunctionName.Ref,
    );
    expect(versioned.length).toBeGreaterThan(0);
    for (const id of versioned) expect(id).toMatch(/(Worker|Sessions)[0-9A-F]{8}$/);
  });

  it('are invoked without a qualifier', () => {
    const stack = newStack();
    new RocketMqHooks(stack, 'Hooks', {
      connector: new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'] }),
      hooks: { 'message.delivered': [{ topic: 'D' }] },
      deliveredLog: new LogGroup(stack, 'PublishOut'),
    });
    const resources = Template.fromStack(stack).toJSON()['Resources'];
    const [, entries] = ofType(resources, 'AWS::Logs::SubscriptionFilter')[0]!;
    expect(entries.Properties.DestinationArn).toEqual({
      'Fn::GetAtt': [expect.stringMatching(/^HooksDeliveredFunction/), 'Arn'],
    });
  });
});

import { App, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Stream, StreamEncryption } from 'aws-cdk-lib/aws-kinesis';
import { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { app as examples } from '../../bin/app.ts';
import {
  ClientEventsSource,
  IotTopicSource,
  KinesisSink,
  MqttConnector,
  MqttSource,
  NoBuffer,
  OutflowTask,
  QueueBuffer,
  RepublishSink,
  RetryPolicy,
  RocketMqConnector,
  RocketMqHooks,
  RocketMqMapping,
  RocketMqSink,
  StreamBuffer,
} from '../../lib/index.ts';

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: templates have no type
  readonly Properties: any;
}

export type Resources = Readonly<Record<string, Resource>>;

/** Tasks with every option, every kind of target and every buffer. */
export function everyOption(): { app: App; stack: Stack } {
  const app = new App();
  const stack = new Stack(app, 'EveryOption');
  const key = new Key(stack, 'Key', { enableKeyRotation: true });
  const streamKey = new Key(stack, 'StreamKey', { enableKeyRotation: true });
  const streams = ['A', 'B'].map(
    (id) => new Stream(stack, id, { encryption: StreamEncryption.KMS, encryptionKey: streamKey }),
  );
  for (const each of streams) {
    Validations.of(each).acknowledge({
      id: 'AwsSolutions::AwsSolutions-KDS3',
      reason: 'Users give streams with customer managed keys.',
    });
  }
  const [stream] = streams;
  const source = (filter: string) => new IotTopicSource(filter);
  const sink = () => new KinesisSink(stream!, { partitionKey: '${clientid}', payload: '${payload}' });

  const broker = new MqttConnector(stack, 'Broker', {
    server: 'mqtts://broker.plant:8883',
    credentials: secret(stack, 'BrokerCredentials'),
  });
  new OutflowTask(stack, 'Received', {
    source: new MqttSource(broker, { topics: ['received/#'], shareGroup: 'outflow', sessions: 6 }),
    sink: sink(),
  });
  new OutflowTask(stack, 'ReceivedInOrder', {
    source: new MqttSource(broker, { topics: ['ordered/#'] }),
    buffer: new StreamBuffer(),
    encryptionKey: key,
    sink: sink(),
  });
  new OutflowTask(stack, 'Plain', { source: source('plain/#'), sink: sink() });
  new OutflowTask(stack, 'Full', {
    source: new IotTopicSource(['full/#', 'full/+/x', '+/x'], {
      dataFormat: 'text',
      defaults: { username: 'u', qos: 1, retain: false },
    }),
    sink: new KinesisSink(stream!, {
      partitionKey: '${clientid}',
      explicitHashKey: '${timestamp}',
      payload: '{"t":"${topic}"}',
      maxRecords: 100,
      maxRequestBytes: 1_000_000,
      maxRecordBytes: 100_000,
    }),
    buffer: new QueueBuffer({ retentionPeriod: Duration.days(2) }),
    batchPush: { messages: 500, interval: Duration.seconds(3) },
    filter: { data: { topic: [{ prefix: 'full/' }] } },
    missingVariable: 'empty',
    validatePayload: true,
    retryPolicy: RetryPolicy.custom({
      steps: [{ times: 2, delay: Duration.seconds(5), upTo: Duration.minutes(15) }],
      on: ['throttled'],
      maximumAge: Duration.hours(1),
    }),
    faultTolerance: 'prohibited',
    poison: 'deadLetter',
    requestTtl: Duration.seconds(45),
    onExpired: 'drop',
    maxConcurrency: 5,
    rateLimit: 1_000,
    enabled: false,
    deadLetterQueue: new Queue(stack, 'Mine', {
      retentionPeriod: Duration.days(14),
      enforceSSL: true,
      encryption: QueueEncryption.KMS,
      encryptionMasterKey: key,
    }),
    taskName: 'full',
    description: 'all of it',
    encryptionKey: key,
    removalPolicy: RemovalPolicy.DESTROY,
    logGroup: new LogGroup(stack, 'Logs', { retention: RetentionDays.ONE_WEEK }),
    memorySize: 1024,
  });
  new OutflowTask(stack, 'Dropping', {
    source: source('dropping'),
    sink: sink(),
    retryPolicy: RetryPolicy.none(),
    onExhausted: 'drop',
  });
  new OutflowTask(stack, 'Keyed', { source: source('keyed'), sink: sink(), encryptionKey: key });
  new OutflowTask(stack, 'Routed', {
    source: source('routed/#'),
    sink: new KinesisSink('s-${payload.site}', { partitionKey: '${clientid}', streams }),
  });
  new OutflowTask(stack, 'Named', {
    source: source('named'),
    sink: new KinesisSink('telemetry', { partitionKey: '${clientid}' }),
  });
  new OutflowTask(stack, 'Native', {
    source: source('native'),
    sink: sink(),
    buffer: new NoBuffer({ payload: 'reserialised' }),
  });
  new OutflowTask(stack, 'Ordered', {
    source: new ClientEventsSource(),
    sink: new KinesisSink(stream!, { partitionKey: '${clientid}', payload: '${.}' }),
    buffer: new StreamBuffer({ order: 'strict' }),
    encryptionKey: key,
    alarmTopic: new Topic(stack, 'Alarms', { enforceSSL: true }),
  });
  const connector = new RocketMqConnector(stack, 'Mq', {
    nameServers: ['10.0.0.5:9876'],
    credentials: secret(stack, 'Credentials'),
    certificateAuthority: secret(stack, 'Authority'),
    namespace: 'plant',
  });
  new OutflowTask(stack, 'Mapped', {
    source: source('mapped'),
    sink: new RocketMqSink(connector, { topic: 'Orders', ...RocketMqMapping.apsaraMq() }),
    route: { routes: [{ topicFilter: 'mapped', sink: { tag: 'new' } }], otherwise: 'drop' },
  });
  new OutflowTask(stack, 'Republished', {
    source: source('republished/+'),
    sink: new RepublishSink({ topic: 'sub/${topic}', qos: '${qos}', retain: '${flags.retain}', payload: '${payload}' }),
  });
  const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-12345678',
    availabilityZones: ['us-east-1a'],
    privateSubnetIds: ['subnet-12345678'],
  });
  new OutflowTask(stack, 'Private', {
    source: source('private'),
    sink: new RocketMqSink(new RocketMqConnector(stack, 'Near', { nameServers: ['10.0.0.6:9876'], vpc }), {
      topic: 'T',
    }),
  });
  new RocketMqHooks(stack, 'Hooks', {
    connector: new RocketMqConnector(stack, 'Proxies', { endpoints: ['mq.example:8081'] }),
    hooks: { 'message.delivered': [{ topic: 'MessageDeliver' }], 'client.connected': [{ topic: 'ClientConnected' }] },
    deliveredLog: new LogGroup(stack, 'PublishOut', { retention: RetentionDays.ONE_WEEK }),
    encryptionKey: key,
  });
  return { app, stack };
}

function secret(stack: Stack, id: string): Secret {
  const made = new Secret(stack, id);
  Validations.of(made).acknowledge({
    id: 'AwsSolutions::AwsSolutions-SMG4',
    reason: 'The credentials change in RocketMQ and in the secret together.',
  });
  return made;
}

/** Resources by logical id, of the example app's stacks and of {@link everyOption}. */
export function declared(): [string, Resources][] {
  const shown = examples.synth().stacks.map(({ stackName, template }): [string, Resources] => {
    return [stackName, template.Resources];
  });
  const { stack } = everyOption();
  return [...shown, [stack.stackName, Template.fromStack(stack).toJSON()['Resources']]];
}

/** Logical ids and resources of a type. */
export function ofType(resources: Resources, type: string): [string, Resource][] {
  return Object.entries(resources).filter(([, resource]) => resource.Type === type);
}

export interface Statement {
  /** Logical id of the resource that the statement is about: the role, for any of its policies. */
  readonly on: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: readonly string[];
  readonly Resource: readonly unknown[];
  readonly Principal?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Statements of identity policies: attached, inline and managed policies of roles. */
export function identityStatements(resources: Resources): Statement[] {
  return Object.entries(resources).flatMap(([on, { Type, Properties }]) => {
    if (Type === 'AWS::IAM::Policy' || Type === 'AWS::IAM::ManagedPolicy')
      return statementsOf(referred(Properties.Roles?.[0]) ?? on, Properties.PolicyDocument);
    if (Type !== 'AWS::IAM::Role') return [];
    return (Properties.Policies ?? []).flatMap((inline: Resource['Properties']) =>
      statementsOf(on, inline.PolicyDocument),
    );
  });
}

/** Statements of resource policies: trust policies of roles, policies of queues, keys, topics and streams. */
export function resourceStatements(resources: Resources): Statement[] {
  return Object.entries(resources).flatMap(([on, { Type, Properties }]) => {
    if (Type === 'AWS::IAM::Role') return statementsOf(on, Properties.AssumeRolePolicyDocument);
    if (Type === 'AWS::KMS::Key') return statementsOf(on, Properties.KeyPolicy);
    return /^AWS::(SQS::QueuePolicy|SNS::TopicPolicy|Kinesis::ResourcePolicy)$/.test(Type)
      ? statementsOf(on, Properties.PolicyDocument ?? Properties.ResourcePolicy)
      : [];
  });
}

function statementsOf(on: string, document: { Statement: Omit<Written, 'on'>[] }): Statement[] {
  return document.Statement.map(({ Action = [], Resource = [], ...rest }) => {
    return { on, ...rest, Action: [Action].flat(), Resource: [Resource].flat() };
  });
}

/** In a policy's JSON, a single value stands for a list of one. */
interface Written extends Omit<Statement, 'Action' | 'Resource'> {
  readonly Action?: string | string[];
  readonly Resource?: unknown;
}

/** The logical id that an ARN or a URL in a template refers to. */
export function referred(value: unknown): string | undefined {
  const reference = value as { Ref?: string; 'Fn::GetAtt'?: readonly [string, string] } | undefined;
  return reference?.Ref ?? reference?.['Fn::GetAtt']?.[0];
}

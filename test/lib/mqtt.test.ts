import { App, CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Port, SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import {
  type IBuffer,
  IotTopicSource,
  KinesisSink,
  MqttConnector,
  type MqttConnectorProps,
  MqttSink,
  type MqttSinkProps,
  MqttSource,
  OutflowTask,
  RocketMqSink,
  StreamBuffer,
} from '../../lib/index.ts';
import { readAssembly, readSpec } from '../../localstack/one-process/assembly.ts';

const SERVER = { server: 'mqtts://broker.plant:8883' };
const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';

function declare(
  connector: (stack: Stack) => MqttConnectorProps = () => SERVER,
  sink: (stack: Stack) => Partial<MqttSinkProps> = () => ({}),
) {
  const stack = new Stack(new App(), 'Test');
  const plant = new MqttConnector(stack, 'Plant', connector(stack));
  new OutflowTask(stack, 'Mirror', {
    source: new IotTopicSource('t/#'),
    sink: new MqttSink(plant, { topic: 'pub/${topic}', ...sink(stack) }),
  });
  const worker = () => {
    const found = Template.fromStack(stack).findResources('AWS::Lambda::Function', {
      Properties: { Description: Match.stringLikeRegexp('^Outflow task') },
    });
    return Object.values(found)[0]!.Properties;
  };
  const spec = () => {
    const [read] = readAssembly((stack.node.root as App).synth().directory);
    return readSpec(read!, read!.template.Resources![read!.tasks[0]!.worker!]!) as { sink: Record<string, unknown> };
  };
  return { stack, plant, worker, spec };
}

describe('MqttConnector and MqttSink', () => {
  it('make a spec', () => {
    const { spec } = declare(
      () => ({
        ...SERVER,
        protocolVersion: 4,
        clientIdPrefix: 'myprefix',
        poolSize: 4,
        serverName: 'plant.example.com',
        certificateAuthority: PEM,
        keepalive: Duration.minutes(2),
        connectTimeout: Duration.seconds(3),
      }),
      () => ({ qos: '${qos}', retain: '${flags.retain}', publishTimeout: Duration.seconds(2) }),
    );
    expect(spec().sink).toEqual({
      type: 'mqtt',
      server: SERVER.server,
      name: 'Plant',
      protocolVersion: 4,
      clientIdPrefix: 'myprefix',
      poolSize: 4,
      serverName: 'plant.example.com',
      ca: PEM,
      keepaliveSeconds: 120,
      connectTimeoutMs: 3_000,
      topic: 'pub/${topic}',
      qos: '${qos}',
      retain: '${flags.retain}',
      publishTimeoutMs: 2_000,
      payload: '',
      inflightWindow: 100,
      maxMessageBytes: 16_777_216,
    });
  });

  it('keep secrets out of the spec: only the worker may read them, and its environment has their ARNs', () => {
    const { stack, worker, spec } = declare((stack) => ({
      ...SERVER,
      credentials: new Secret(stack, 'Credentials'),
      certificateAuthority: new Secret(stack, 'Authority'),
      clientCertificate: new Secret(stack, 'Certificate'),
    }));
    expect(worker().Environment.Variables).toMatchObject({
      CREDENTIALS_SECRET_ARN: { Ref: expect.stringMatching(/^Credentials/) },
      CA_SECRET_ARN: { Ref: expect.stringMatching(/^Authority/) },
      CLIENT_CERTIFICATE_SECRET_ARN: { Ref: expect.stringMatching(/^Certificate/) },
      TARGET_ARN: 'mqtts://broker.plant:8883/*',
    });
    const policies = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
    const readers = policies.filter(([, policy]) => JSON.stringify(policy).includes('secretsmanager:GetSecretValue'));
    expect(readers.map(([id]) => id)).toEqual([expect.stringMatching(/^MirrorWorkerRole/)]);
    for (const name of ['Credentials', 'Authority', 'Certificate'])
      expect(JSON.stringify(readers)).toMatch(new RegExp(`"Ref":"${name}`));
    expect(JSON.stringify(spec())).not.toMatch(/secret/i);
  });

  it('accept a server and a topic that are only known at deployment', () => {
    const { worker, spec } = declare(
      (stack) => ({ server: new CfnParameter(stack, 'Server').valueAsString }),
      (stack) => ({ topic: new CfnParameter(stack, 'Topic').valueAsString }),
    );
    expect(spec().sink).toMatchObject({ server: { $env: 'SINK_SERVER' }, topic: { $env: 'SINK_TOPIC' } });
    expect(worker().Environment.Variables).toMatchObject({
      SINK_SERVER: { Ref: 'Server' },
      SINK_TOPIC: { Ref: 'Topic' },
    });
  });

  it.each<[RegExp, Partial<MqttConnectorProps>]>([
    [/Plant\.server: got 'ws:\/\/b:80'; expected mqtt:\/\/, since .* WebSocket/, { server: 'ws://b:80' }],
    [/Plant\.server: got 'wss:\/\/b'; expected mqtts:\/\/, since .* WebSocket/, { server: 'wss://b' }],
    [/Plant\.server: got 'quic:\/\/b:1'; expected mqtts:\/\/, since .* QUIC/, { server: 'quic://b:1' }],
    [/Plant\.server: got 'http:\/\/b'; expected mqtt:\/\/host:port/, { server: 'http://b' }],
    [/Plant\.server: got an address; .*the secret of credentials/, { server: 'mqtts://user:pass@b:1' }],
    [/Plant\.server: got 'mqtt:\/\/b:99999'; expected/, { server: 'mqtt://b:99999' }],
    [/Plant\.connectorName: got 'a\/b'; expected/, { connectorName: 'a/b' }],
    [/Plant\.certificateAuthority: got 'ca\.pem'; expected PEM/, { certificateAuthority: 'ca.pem' }],
    [/Plant\.certificateAuthority: .*none without TLS/, { server: 'mqtt://b:1883', certificateAuthority: PEM }],
    [/Plant\.serverName: .*none without TLS/, { server: 'b:1883', serverName: 'x' }],
    [/Plant\.securityGroups: .*vpc with it/, { securityGroups: [] }],
    [/Plant\.clientId: .*clientIdPrefix/, { clientId: 'one' } as never],
    [/Plant\.username: .*credentials/, { username: 'me' } as never],
  ])('refuse %s', (wanted, props) => {
    expect(() => declare(() => ({ ...SERVER, ...props }))).toThrow(InvalidOptionError);
    expect(() => declare(() => ({ ...SERVER, ...props }))).toThrow(wanted);
  });

  it.each<[RegExp, Partial<MqttSinkProps>]>([
    [/Mirror\.sink\.retain: got '\$\{falgs\.retain\}'; expected .*\$\{flags\.retain\}/, { retain: '${falgs.retain}' }],
    [/Mirror\.sink\.qos: got '3'; expected .*0, 1 or 2/, { qos: '3' }],
    [/Mirror\.sink\.topic: got 'a\/#'; expected a topic name/, { topic: 'a/#' }],
    [/Mirror\.sink\.topics: got undefined; expected the topics that '\$\{topic\}' may render/, { topic: '${topic}' }],
    [/Mirror\.sink\.topics: .*none without placeholders/, { topic: 'a', topics: ['a/*'] }],
    [/Mirror\.sink\.topics.*no \$ at the beginning/, { topic: '${topic}', topics: ['$SYS/*'] }],
    [/Mirror\.sink\.publishTimeout: got 50 milliseconds; expected/, { publishTimeout: Duration.millis(50) }],
    [/MqttSink\.poolSize: .*MqttConnector/, { poolSize: 3 } as never],
    [/MqttSink\.server: .*MqttConnector/, { server: 'mqtt://b' } as never],
  ])('refuse an option of the sink: %s', (wanted, props) => {
    expect(() => declare(undefined, () => props)).toThrow(wanted);
  });

  it('refuse a connector of another kind', () => {
    const { plant } = declare();
    expect(() => new RocketMqSink(plant as never, { topic: 'T' })).toThrow(/RocketMqSink\.connector/);
  });

  it('warn of credentials without TLS, and of client ids that MQTT 3.1 may refuse', () => {
    const plain = (server: string) =>
      declare((stack) => ({ server, credentials: new Secret(stack, 'Credentials') })).stack;
    const warning = Match.stringLikeRegexp('^Plant\\.server: with mqtt://, .* in plain text');
    Annotations.fromStack(plain('mqtt://b:1883')).hasWarning('/Test/Plant', warning);
    Annotations.fromStack(plain('mqtts://b:8883')).hasNoWarning('*', warning);
    const long = Match.stringLikeRegexp('^Plant\\.connectorName: .* 24 characters');
    const named = (protocolVersion: 3 | 4) =>
      declare(() => ({ ...SERVER, protocolVersion, connectorName: 'a-long-name-14' })).stack;
    Annotations.fromStack(named(3)).hasWarning('/Test/Plant', long);
    Annotations.fromStack(named(4)).hasNoWarning('*', long);
  });

  it('give the workers in a VPC one security group, which can be allowed to reach the broker', () => {
    const { stack, plant, worker } = declare((stack) => ({ ...SERVER, vpc: new Vpc(stack, 'Vpc') }));
    plant.connections.allowTo(new SecurityGroup(stack, 'Broker', { vpc: plant.network!.vpc }), Port.tcp(8883));
    const group = worker().VpcConfig.SecurityGroupIds;
    expect(group).toEqual([{ 'Fn::GetAtt': [expect.stringMatching(/^PlantWorkers/), 'GroupId'] }]);
    Template.fromStack(stack).hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 8883,
      SourceSecurityGroupId: group[0],
    });
  });

  describe('with static client ids', () => {
    const ids = { ...SERVER, staticClientIds: ['clientid1', 'clientid3'] };
    const declareStatic = (buffer?: IBuffer, props: MqttConnectorProps = ids) => {
      const stack = new Stack(new App(), 'Test');
      const plant = new MqttConnector(stack, 'Plant', props);
      const task = (id: string) =>
        new OutflowTask(stack, id, {
          source: new IotTopicSource('t/#'),
          sink: new MqttSink(plant, { topic: 'a' }),
          ...(buffer && { buffer }),
        });
      return { stack, plant, task };
    };

    it('need a stream buffer with a shard for each of them', () => {
      const wanted = /Mirror\.buffer: got .*; expected new StreamBuffer\(\{ shardCount: 2 \}\)/;
      expect(() => declareStatic().task('Mirror')).toThrow(wanted);
      expect(() => declareStatic(new StreamBuffer()).task('Mirror')).toThrow(wanted);
      expect(() => declareStatic(new StreamBuffer({ shardCount: 3 })).task('Mirror')).toThrow(wanted);
      const { spec } = declareStatic(new StreamBuffer({ shardCount: 2 })).task('Mirror');
      expect(spec).toMatchObject({ sink: { staticClientIds: ids.staticClientIds } });
    });

    it('belong to one task', () => {
      const { task } = declareStatic(new StreamBuffer({ shardCount: 2 }));
      task('Mirror');
      expect(() => task('Other')).toThrow(/Other\.sink: got the connector of Test\/Mirror, .*a connector of its own/);
    });

    it('are not for sources', () => {
      const { stack, plant } = declareStatic();
      const task = () =>
        new OutflowTask(stack, 'In', {
          source: new MqttSource(plant, { topics: ['a'] }),
          sink: new KinesisSink('s', { partitionKey: 'k' }),
        });
      expect(task).toThrow(/In\.source: got a connector with staticClientIds/);
    });

    it('are given once, and replace pool and prefix', () => {
      expect(() => declareStatic(undefined, { ...SERVER, staticClientIds: ['a', 'b', 'a'] })).toThrow(
        /Plant\.staticClientIds: got 'a'; expected .*once/,
      );
      expect(() => declareStatic(undefined, { ...SERVER, staticClientIds: [] })).toThrow(/at least one client id/);
      const { stack } = declareStatic(undefined, { ...ids, poolSize: 4, clientIdPrefix: 'p' });
      for (const option of ['poolSize', 'clientIdPrefix'])
        Annotations.fromStack(stack).hasWarning(
          '/Test/Plant',
          Match.stringLikeRegexp(`^Plant\\.${option}: .*no effect`),
        );
    });
  });
});

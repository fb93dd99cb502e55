import { App, CfnParameter, Duration, Stack, Validations } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { InterfaceVpcEndpointAwsService, Port, SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import {
  IotTopicSource,
  OutflowTask,
  RocketMqConnector,
  type RocketMqConnectorProps,
  RocketMqMapping,
  RocketMqSink,
  type RocketMqSinkProps,
} from '../../lib/index.ts';
import { readAssembly, readSpec } from '../../localstack/one-process/assembly.ts';

const NAME_SERVERS = { nameServers: ['10.0.0.5:9876', '10.0.0.6:9876'] };
const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';

function declare(
  connector: (stack: Stack) => RocketMqConnectorProps = () => NAME_SERVERS,
  sink: (stack: Stack) => Partial<RocketMqSinkProps> = () => ({}),
  requestTtl?: Duration,
) {
  const stack = new Stack(new App(), 'Test');
  const mq = new RocketMqConnector(stack, 'Mq', connector(stack));
  const task = new OutflowTask(stack, 'Orders', {
    source: new IotTopicSource('orders/#'),
    sink: new RocketMqSink(mq, { topic: 'Orders', ...sink(stack) }),
    ...(requestTtl && { requestTtl }),
  });
  const workerOf = () => {
    const [worker] = Object.values(
      Template.fromStack(stack).findResources('AWS::Lambda::Function', {
        Properties: { Description: Match.stringLikeRegexp('^Outflow task') },
      }),
    );
    return worker!.Properties;
  };
  const specOf = () => {
    const [read] = readAssembly((stack.node.root as App).synth().directory);
    return readSpec(read!, read!.template.Resources![read!.tasks[0]!.worker!]!) as { sink: Record<string, unknown> };
  };
  return { stack, mq, task, workerOf, specOf };
}

describe('RocketMqConnector and RocketMqSink', () => {
  it('make a spec with TLS by default', () => {
    const { specOf } = declare(undefined, () => ({
      key: '${payload.order.id}',
      tag: 'new',
      batchSize: 50,
      syncTimeout: Duration.seconds(2),
      refreshTopicRouteInterval: Duration.minutes(1),
    }));
    expect(specOf().sink).toMatchObject({
      type: 'rocketmq',
      nameServers: '10.0.0.5:9876;10.0.0.6:9876',
      tls: true,
      topic: 'Orders',
      key: '${payload.order.id}',
      tag: 'new',
      batchSize: 50,
      syncTimeoutMs: 2_000,
      refreshTopicRouteIntervalMs: 60_000,
    });
  });

  it.each<[string, Partial<RocketMqSinkProps>, RegExp | undefined, Partial<RocketMqConnectorProps>?]>([
    [
      'a template',
      { topic: '${topic}' },
      /Orders\.sink\.topics: got undefined; expected the topics that '\$\{topic\}' may/,
    ],
    ['a JSONPath', { topic: '$.data.topic' }, /sink\.topics: got undefined/],
    ['a template with its topics', { topic: '${topic}', topics: ['plant-*', 'Other'] }, undefined],
    ['a template with a prefix', { topic: 'plant-${topic}' }, undefined],
    ['a template in a namespace', { topic: '${topic}' }, undefined, { namespace: 'inst' }],
    [
      'a literal topic',
      { topics: ['plant-*'] },
      /sink\.topics: got \["plant-\*"\]; expected none without placeholders/,
    ],
    [
      'a topic that no broker has',
      { topic: 'a-${topic}', topics: ['a b'] },
      /topics.*got 'a b'; expected letters, digits/,
    ],
    ['a topic of RocketMQ itself', { topic: 'rmq_sys_wheel_timer' }, /topic.*no topic that RocketMQ reserves/],
  ])('name the topics that %s may render', (_, props, refused, connector = {}) => {
    const { specOf } = (() => {
      try {
        return declare(
          () => ({ ...NAME_SERVERS, ...connector }),
          () => props,
        );
      } catch (error) {
        return { specOf: () => ({ sink: { topics: (error as Error).message } }) };
      }
    })();
    const { topics } = specOf().sink as { topics?: unknown };
    if (refused === undefined) expect(topics).toEqual(props.topics);
    else expect(topics).toMatch(refused);
  });

  it('map messages as ApsaraMQ does, and let single options override that (D12–D16)', () => {
    const { specOf } = declare(
      () => ({ ...NAME_SERVERS, namespace: 'test', tls: false }),
      () => ({ ...RocketMqMapping.apsaraMq(), tag: 'all' }),
    );
    expect(specOf().sink).toMatchObject({
      namespace: 'test',
      tls: false,
      payload: '$.data.body',
      properties: '$.data.userProperties',
      key: '$.data.systemProperties.KEYS',
      tag: 'all',
    });
  });

  it('keep secrets out of the spec: only the worker may read them, and its environment has their ARNs', () => {
    const { stack, workerOf, specOf } = declare((stack) => ({
      ...NAME_SERVERS,
      credentials: new Secret(stack, 'Credentials'),
      certificateAuthority: new Secret(stack, 'Authority'),
    }));
    const { Variables } = workerOf().Environment;
    expect(Variables).toMatchObject({
      CREDENTIALS_SECRET_ARN: { Ref: expect.stringMatching(/^Credentials/) },
      CA_SECRET_ARN: { Ref: expect.stringMatching(/^Authority/) },
      TARGET_ARN: 'rocketmq://10.0.0.5:9876/Orders',
    });
    const readers = Object.entries(Template.fromStack(stack).findResources('AWS::IAM::Policy')).filter(([, policy]) =>
      JSON.stringify(policy).includes('secretsmanager:GetSecretValue'),
    );
    expect(readers.map(([id]) => id)).toEqual([expect.stringMatching(/^OrdersWorkerRole/)]);
    expect(JSON.stringify(specOf())).not.toMatch(/secret/i);
  });

  it('accept addresses and topics that are only known at deployment', () => {
    const { workerOf, specOf } = declare(
      (stack) => ({ nameServers: [new CfnParameter(stack, 'Server').valueAsString, '10.0.0.6:9876'] }),
      (stack) => ({ topic: new CfnParameter(stack, 'Topic').valueAsString }),
    );
    expect(specOf().sink).toMatchObject({ nameServers: { $env: 'SINK_NAME_SERVERS' }, topic: { $env: 'SINK_TOPIC' } });
    expect(workerOf().Environment.Variables).toMatchObject({
      SINK_NAME_SERVERS: { 'Fn::Join': ['', [{ Ref: 'Server' }, ';10.0.0.6:9876']] },
      SINK_TOPIC: { Ref: 'Topic' },
    });
  });

  it.each<[RegExp, Partial<RocketMqConnectorProps>]>([
    [/Mq\.nameServers: got undefined; expected at least one host:port/, { nameServers: undefined as never }],
    [/Mq\.nameServers: got \[\]; expected at least one host:port/, { nameServers: [] }],
    [/Mq\.nameServers: got '10\.0\.0\.5'; expected host:port/, { nameServers: ['10.0.0.5'] }],
    [/Mq\.nameServers: got 'a:1;b:2'; expected host:port/, { nameServers: ['a:1;b:2'] }],
    [/Mq\.endpoints: .*one of the two/, { endpoints: ['10.0.0.5:8081'] }],
    [/Mq\.endpoints: got \[\]; expected at least one host:port/, { nameServers: undefined as never, endpoints: [] }],
    [
      /Mq\.endpoints: got '\[::1\]:8081'; .*without IPv6/,
      { nameServers: undefined as never, endpoints: ['[::1]:8081'] },
    ],
    [/Mq\.certificateAuthority: .*none with tls: false/, { tls: false, certificateAuthority: PEM }],
    [/Mq\.certificateAuthority: .*PEM/, { certificateAuthority: 'ca.pem' }],
    [/Mq\.securityGroups: .*vpc with it/, { securityGroups: [] }],
  ])('refuse %s', (wanted, props) => {
    expect(() => declare(() => ({ ...NAME_SERVERS, ...props }))).toThrow(InvalidOptionError);
    expect(() => declare(() => ({ ...NAME_SERVERS, ...props }))).toThrow(wanted);
  });

  it('refuse an invalid option of the sink: the error names the option and the value given', () => {
    expect(() => declare(undefined, () => ({ topic: 'a/b' }))).toThrow(
      /Orders\.sink\.topic: got 'a\/b'; expected .*letters, digits/,
    );
    expect(() => declare(undefined, () => ({ batchSize: 0 }))).toThrow(/Orders\.sink\.batchSize: got 0/);
  });
});

describe('RocketMqConnector by proxies', () => {
  const ENDPOINTS = { endpoints: ['10.0.0.7:8081', 'mq.example:8081'] };
  const byProxies = (sink: Partial<RocketMqSinkProps> = {}, more: Partial<RocketMqConnectorProps> = {}) =>
    declare(
      () => ({ ...ENDPOINTS, ...more }),
      () => sink,
    );

  it("makes a spec with endpoints, and dead letters with the first proxy's address", () => {
    const { specOf, workerOf } = byProxies({ messageGroup: '${clientid}', inflightWindow: 8 }, { namespace: 'inst' });
    expect(specOf().sink).toMatchObject({ endpoints: '10.0.0.7:8081;mq.example:8081', tls: true, inflightWindow: 8 });
    expect(specOf().sink).not.toHaveProperty('nameServers');
    expect(workerOf().Environment.Variables).toMatchObject({ TARGET_ARN: 'rocketmq://10.0.0.7:8081/inst/Orders' });
  });

  it('accepts addresses that are only known at deployment', () => {
    const { workerOf, specOf } = declare((stack) => ({ endpoints: [new CfnParameter(stack, 'Proxy').valueAsString] }));
    expect(specOf().sink).toMatchObject({ endpoints: { $env: 'SINK_ENDPOINTS' } });
    expect(workerOf().Environment.Variables).toMatchObject({ SINK_ENDPOINTS: { Ref: 'Proxy' } });
  });

  it.each<[RegExp, Partial<RocketMqSinkProps>]>([
    [/sink\.batchSize: got 100; expected inflightWindow: .*this option is for nameServers/, { batchSize: 100 }],
    [/sink\.produce: got 'sync'; expected inflightWindow: 1 /, { produce: 'sync' }],
    [/sink\.delayLevel: got 3; expected deliverAt/, { delayLevel: 3 }],
    [
      /sink\.refreshTopicRouteInterval: got 5000 milliseconds; expected no value/,
      { refreshTopicRouteInterval: Duration.seconds(5) },
    ],
    [/sink\.autoCreateTopics: got false; expected no value/, { autoCreateTopics: false }],
    [/sink\.deliverAt: .*none beside messageGroup/, { deliverAt: '$.data.body.at', messageGroup: 'g' }],
  ])('refuses options that only apply by name servers, and names what to use: %s', (wanted, props) => {
    expect(() => byProxies(props)).toThrow(InvalidOptionError);
    expect(() => byProxies(props)).toThrow(wanted);
  });
});

describe('RocketMqConnector in a VPC', () => {
  it('warns of credentials without TLS', () => {
    const connector = (tls: boolean) => (stack: Stack) => ({
      ...NAME_SERVERS,
      tls,
      credentials: new Secret(stack, 'Credentials'),
    });
    const warning = Match.stringLikeRegexp('^Mq\\.tls: with false, .* in plain text');
    Annotations.fromStack(declare(connector(false)).stack).hasWarning('/Test/Mq', warning);
    Annotations.fromStack(declare(connector(true)).stack).hasNoWarning('*', warning);
    Annotations.fromStack(declare(() => ({ ...NAME_SERVERS, tls: false })).stack).hasNoWarning('*', warning);
  });

  const vpcWithoutNat = (stack: Stack) =>
    new Vpc(stack, 'Vpc', {
      natGateways: 0,
      subnetConfiguration: [{ name: 'i', subnetType: SubnetType.PRIVATE_ISOLATED }],
    });
  const inVpcWithoutNat = (services: readonly string[]) => (stack: Stack) => {
    const vpc = vpcWithoutNat(stack);
    for (const name of services) vpc.addInterfaceEndpoint(name, { service: new InterfaceVpcEndpointAwsService(name) });
    return {
      ...NAME_SERVERS,
      credentials: new Secret(stack, 'Credentials'),
      vpc,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
    };
  };

  it('gives the workers one security group, which can be allowed to reach brokers', () => {
    const { stack, mq, workerOf } = declare((stack) => ({ ...NAME_SERVERS, vpc: new Vpc(stack, 'Vpc') }));
    const brokers = new SecurityGroup(stack, 'Brokers', { vpc: mq.network!.vpc });
    mq.connections.allowTo(brokers, Port.tcp(10911));
    const group = workerOf().VpcConfig.SecurityGroupIds;
    expect(group).toEqual([{ 'Fn::GetAtt': [expect.stringMatching(/^MqWorkers/), 'GroupId'] }]);
    Template.fromStack(stack).hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 10911,
      SourceSecurityGroupId: group[0],
    });
    Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Action: Match.arrayWith(['ec2:CreateNetworkInterface']), Resource: '*' }),
        ]),
      },
    });
  });

  it('refuses subnets that do not reach the services that a worker needs', () => {
    const synth = (services: readonly string[], requestTtl?: Duration) =>
      (declare(inVpcWithoutNat(services), undefined, requestTtl).stack.node.root as App).synth();
    expect(() => synth([])).toThrow(/Orders\.sink: .*endpoints in the VPC for secretsmanager, sqs/);
    expect(() => synth(['sqs'])).toThrow(/endpoints in the VPC for secretsmanager/);
    expect(() => synth(['sqs', 'secretsmanager'])).not.toThrow();
    expect(() => synth(['sqs', 'secretsmanager'], Duration.seconds(45))).toThrow(/endpoints in the VPC for ssm/);
  });

  it('is clean under cdk-nag AwsSolutions (S02)', () => {
    const { stack } = declare((stack) => {
      const vpc = new Vpc(stack, 'Vpc', { restrictDefaultSecurityGroup: false });
      const credentials = new Secret(stack, 'Credentials');
      Validations.of(vpc).acknowledge({ id: 'AwsSolutions::AwsSolutions-VPC7', reason: 'It belongs to the user.' });
      Validations.of(credentials).acknowledge({
        id: 'AwsSolutions::AwsSolutions-SMG4',
        reason: 'It belongs to the user.',
      });
      return { ...NAME_SERVERS, vpc, credentials };
    });
    Validations.of(stack.node.root).addPlugins(new AwsSolutionsChecks());
    expect(() => (stack.node.root as App).synth()).not.toThrow();
  });

  it('warns of an imported VPC, whose endpoints are unknown', () => {
    const { stack } = declare((stack) => ({
      ...NAME_SERVERS,
      vpc: Vpc.fromVpcAttributes(stack, 'Vpc', {
        vpcId: 'vpc-12345678',
        availabilityZones: ['a'],
        privateSubnetIds: ['subnet-12345678'],
      }),
    }));
    Annotations.fromStack(stack).hasWarning('/Test/Orders', Match.stringLikeRegexp('NAT, or endpoints for sqs'));
  });
});

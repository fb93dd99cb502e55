import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Tracing } from 'aws-cdk-lib/aws-lambda';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it } from 'vitest';
import { tryTask } from '../../lambdas/testing/index.ts';
import {
  type IOutflowTask,
  IotTopicSource,
  KinesisSink,
  NoBuffer,
  OutflowTask,
  type OutflowTaskProps,
  QueueBuffer,
  RocketMqConnector,
  RocketMqSink,
  StreamBuffer,
} from '../../lib/index.ts';

function declare(props: Partial<OutflowTaskProps> | ((stack: Stack) => Partial<OutflowTaskProps>) = {}) {
  const stack = new Stack(new App(), 'Test');
  const task = new OutflowTask(stack, 'T', {
    source: new IotTopicSource('t'),
    sink: new KinesisSink('s', { partitionKey: '${clientid}', payload: '${payload}' }),
    ...(typeof props === 'function' ? props(stack) : props),
  });
  return { stack, task, template: () => Template.fromStack(stack) };
}

const workerOf = (template: Template) =>
  Object.entries(template.findResources('AWS::Lambda::Function')).find(([id]) => id.startsWith('TWorker'))![1]
    .Properties;

describe('the worker of any sink', () => {
  it('has the timeout, and its queues six times as much', () => {
    const template = declare({ timeout: Duration.minutes(2) }).template();
    expect(workerOf(template)).toMatchObject({ Timeout: 120 });
    template.resourcePropertiesCountIs('AWS::SQS::Queue', { VisibilityTimeout: 720 }, 2);
  });

  it('has the variables, the tracing and the reserved executions', () => {
    const template = declare({
      environment: { HTTPS_PROXY: 'http://proxy:3128' },
      tracing: Tracing.ACTIVE,
      reservedConcurrentExecutions: 12,
      maxConcurrency: 10,
    }).template();
    expect(workerOf(template)).toMatchObject({
      Environment: { Variables: { HTTPS_PROXY: 'http://proxy:3128', STACK_NAME: 'Test' } },
      TracingConfig: { Mode: 'Active' },
      ReservedConcurrentExecutions: 12,
    });
  });

  it('acts with the role given, which gets the permissions', () => {
    const template = declare((stack) => ({
      role: new Role(stack, 'Mine', {
        assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
        permissionsBoundary: ManagedPolicy.fromManagedPolicyName(stack, 'Boundary', 'b'),
      }),
    })).template();
    expect(workerOf(template).Role).toEqual({ 'Fn::GetAtt': [expect.stringMatching(/^Mine/), 'Arn'] });
    template.hasResourceProperties('AWS::IAM::Policy', {
      Roles: [{ Ref: Match.stringLikeRegexp('^Mine') }],
      PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Action: 'kinesis:PutRecords' })]) },
    });
    expect(Object.keys(template.findResources('AWS::IAM::Role')).join()).not.toContain('WorkerRole');
  });

  it('has its network interfaces in the VPC', () => {
    const { template, stack } = declare((stack) => {
      const vpc = new Vpc(stack, 'Vpc');
      return { vpc, vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS } };
    });
    expect(workerOf(template()).VpcConfig).toMatchObject({
      SecurityGroupIds: [{ 'Fn::GetAtt': [expect.stringMatching(/^TWorkerSecurityGroup/), 'GroupId'] }],
    });
    Annotations.fromStack(stack).hasNoError('*', Match.anyValue());
  });

  it('needs an endpoint for Kinesis in subnets without a NAT', () => {
    const { stack } = declare((stack) => ({
      vpc: new Vpc(stack, 'Vpc', { natGateways: 0 }),
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
    }));
    expect(() => (stack.node.root as App).synth()).toThrow(/endpoints in the VPC for kinesis-streams, sqs/);
  });

  it.each<[string, (stack: Stack) => Partial<OutflowTaskProps>, RegExp]>([
    [
      'short timeout',
      () => ({ timeout: Duration.seconds(5) }),
      /T\.timeout: got 5 seconds; expected 10 to 900 seconds/,
    ],
    ['long timeout', () => ({ timeout: Duration.hours(1) }), /T\.timeout: got 3600 seconds/],
    [
      'own variable',
      () => ({ environment: { QUEUE_URL: 'x' } }),
      /T\.environment\.QUEUE_URL: got 'x'; expected another/,
    ],
    ['number as variable', () => ({ environment: { A: 1 as never } }), /T\.environment\.A: got 1; expected a string/],
    [
      'too few reserved executions',
      () => ({ reservedConcurrentExecutions: 10, maxConcurrency: 10 }),
      /T\.reservedConcurrentExecutions: got 10; expected at least 12/,
    ],
    [
      'groups without a VPC',
      (stack) => ({ securityGroups: [SecurityGroup.fromSecurityGroupId(stack, 'G', 'sg-1')] }),
      /T\.securityGroups: got a value; expected vpc with it/,
    ],
    [
      'two VPCs',
      (stack) => {
        const vpc = new Vpc(stack, 'Vpc');
        const mq = new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'], vpc });
        return { vpc, sink: new RocketMqSink(mq, { topic: 'T' }) };
      },
      /T\.vpc: got a VPC; expected none: the connector's VPC/,
    ],
    ['tracing', () => ({ tracing: 'yes' as never }), /T\.tracing: got 'yes'; expected one of Active/],
    [
      'no worker',
      () => ({ timeout: Duration.minutes(2), buffer: new NoBuffer({ payload: 'reserialised' }) }),
      /T\.timeout: got a duration; expected nothing: with NoBuffer/,
    ],
  ])('is refused with %s', (_, props, message) => expect(() => declare(props)).toThrow(message));
});

describe('a queue that the user gives', () => {
  const queueOf = (stack: Stack, seconds: number, fifo?: true) =>
    new Queue(stack, 'Mine', { visibilityTimeout: Duration.seconds(seconds), ...(fifo && { fifo }) });

  it('is the buffer: the rule writes to it, the worker reads it', () => {
    const { template, task } = declare((stack) => ({ buffer: new QueueBuffer({ queue: queueOf(stack, 360) }) }));
    const mine = { 'Fn::GetAtt': [expect.stringMatching(/^Mine/), 'Arn'] };
    const mappings = Object.values(template().findResources('AWS::Lambda::EventSourceMapping'));
    expect(mappings.map(({ Properties }) => Properties.EventSourceArn)).toContainEqual(mine);
    expect(template().toJSON().Metadata['mqtt-outflow'].tasks[0].queue).toMatch(/^Mine/);
    expect(task.queue!.node.id).toBe('Mine');
    expect(Object.keys(template().findResources('AWS::SQS::Queue')).filter((id) => /^TQueue/.test(id))).toEqual([]);
  });

  it.each<[string, (stack: Stack) => Partial<OutflowTaskProps>, RegExp]>([
    [
      'short',
      (stack) => ({ buffer: new QueueBuffer({ queue: queueOf(stack, 60) }) }),
      /timeout of 60 seconds; .*360 seconds/,
    ],
    ['FIFO', (stack) => ({ buffer: new QueueBuffer({ queue: queueOf(stack, 360, true) }) }), /got a FIFO queue/],
    [
      'of another stack',
      (stack) => ({ buffer: new QueueBuffer({ queue: Queue.fromQueueArn(stack, 'Q', 'arn:aws:sqs:eu-west-1:1:q') }) }),
      /T\.buffer\.queue: got a queue of another stack/,
    ],
    [
      'with a retention',
      (stack) => ({ buffer: new QueueBuffer({ queue: queueOf(stack, 360), retentionPeriod: Duration.days(1) }) }),
      /T\.buffer\.retentionPeriod: got 1 day; expected none with queue/,
    ],
  ])('is refused: %s', (_, props, message) => expect(() => declare(props)).toThrow(message));

  it('is refused for a second task', () => {
    const { stack } = declare();
    const queue = queueOf(stack, 360);
    const another = (id: string) =>
      new OutflowTask(stack, id, {
        source: new IotTopicSource('u'),
        sink: new KinesisSink('s', { partitionKey: 'k' }),
        buffer: new QueueBuffer({ queue }),
      });
    another('U');
    expect(() => another('V')).toThrow(/V\.buffer\.queue: got the queue of Test\/U; expected a queue of its own/);
  });
});

describe('batchPush with a number of messages alone', () => {
  const windowOf = (props: Partial<OutflowTaskProps>) => {
    const { template, stack } = declare(props);
    Annotations.fromStack(stack).hasNoInfo('*', Match.stringLikeRegexp('wait up to'));
    const [mapping] = Object.entries(template().findResources('AWS::Lambda::EventSourceMapping')).filter(([id]) =>
      id.startsWith('TMapping'),
    );
    return mapping![1].Properties.MaximumBatchingWindowInSeconds;
  };
  it('waits as long as AWS Lambda requires', () => {
    expect(windowOf({ batchPush: { messages: 500 } })).toBe(1);
    expect(windowOf({ batchPush: { messages: 10 } })).toBe(0);
    expect(windowOf({ batchPush: { messages: 500 }, buffer: new StreamBuffer() })).toBe(0);
  });
});

describe('a task', () => {
  it('has its specification, which tryTask takes', async () => {
    const { task } = declare({ filter: { data: { body: { temp: [{ numeric: ['>', 20] }] } } } });
    const tried: IOutflowTask = task;
    expect(await tryTask(tried.spec, { topic: 't', payload: '{"temp":21}', clientid: 'd' })).toMatchObject({
      outcome: 'delivered',
      requests: [{ partitionKey: 'd', data: '{"temp":21}' }],
    });
    expect(await tryTask(tried.spec, { topic: 't', payload: '{"temp":1}' })).toMatchObject({ outcome: 'filtered' });
  });

  it('has alarms with the actions given', () => {
    const alarmActions = [{ bind: () => ({ alarmActionArn: 'arn:aws:ssm:eu-west-1:111111111111:opsitem:1' }) }];
    const template = declare({ alarmActions }).template();
    const arns = ['arn:aws:ssm:eu-west-1:111111111111:opsitem:1'];
    template.allResourcesProperties('AWS::CloudWatch::Alarm', { AlarmActions: arns, OKActions: arns });
    expect(() => declare({ alarmActions, alarms: false })).toThrow(/T\.alarmActions: got actions; expected none/);
  });
});

describe('the main entry', () => {
  it('exports every type of this project that the options of its exports have', () => {
    const index = readFileSync('lib/index.ts', 'utf8');
    const exported = new Set([...index.matchAll(/\b([A-Z]\w+)\b/g)].map(([, name]) => name!));
    const missing: string[] = [];
    for (const [, path] of index.matchAll(/from '(\.\/[^']+)'/g)) {
      const file = join('lib', path!);
      const text = readFileSync(file, 'utf8');
      const relative = [...text.matchAll(/import (?:type )?\{([^}]*)\} from '(\.[^']+)'/g)]
        .filter(([, , from]) => existsSync(join(dirname(file), from!)))
        .flatMap(([, names]) => names!.split(',').map((name) => name.replace('type ', '').trim()));
      const known = new Set([
        ...relative,
        ...[...text.matchAll(/export (?:type|interface) (\w+)/g)].map(([, name]) => name!),
      ]);
      for (const [, name, body] of text.matchAll(/^export interface (\w+)[^{]*\{\n(.*?)^\}/gms)) {
        if (!exported.has(name!)) continue;
        const used = [...body!.matchAll(/^ {2}readonly .*$/gm)].flatMap(([line]) => line.match(/\b[A-Z]\w+/g) ?? []);
        missing.push(
          ...used.filter((type) => known.has(type) && !exported.has(type)).map((type) => `${file}: ${type}`),
        );
      }
    }
    expect([...new Set(missing)]).toEqual([]);
  });
});

import { readFileSync } from 'node:fs';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it } from 'vitest';
import { StreamBuffer } from '../../lib/buffer/stream-buffer.ts';
import { IotTopicSource, KinesisSink, NoBuffer, OutflowTask, type OutflowTaskProps } from '../../lib/index.ts';
import { articleLink } from '../../lib/observe.ts';
import { identityStatements } from '../security/declared.ts';

const sink = () => new KinesisSink('s', { partitionKey: '${clientid}', payload: '${payload}' });

function declare(props: Partial<OutflowTaskProps> = {}, id = 'T') {
  const stack = new Stack(new App(), 'Test');
  const task = new OutflowTask(stack, id, { source: new IotTopicSource(['a', 'b/#']), sink: sink(), ...props });
  return { stack, task, template: () => Template.fromStack(stack) };
}

// biome-ignore lint/suspicious/noExplicitAny: templates have no type
type Properties = any;

function alarmsOf(template: Template): [string, Properties][] {
  return Object.entries(template.findResources('AWS::CloudWatch::Alarm')).map(([id, { Properties }]) => {
    return [id.replace(/^T|Alarm|([0-9A-F]{8})+$/g, ''), Properties];
  });
}

describe('alarms', () => {
  it('go off for dead letters, old messages, SQL that fails, an open circuit and a blocked task', () => {
    const { task, template } = declare();
    const alarms = alarmsOf(template());
    expect(task.alarms).toHaveLength(alarms.length);
    const seen = alarms.map(([id, { Namespace, MetricName, Dimensions, Statistic, Threshold, Metrics }]) => {
      if (Metrics !== undefined) return [id, `> ${Threshold}`, Metrics[0].Expression['Fn::Join'][1].slice(0, 2)];
      const of = Dimensions.map(({ Name, Value }: { Name: string; Value: Record<string, string & string[]> }) => {
        const text = typeof Value === 'string' ? Value : (Value['Ref'] ?? Value['Fn::GetAtt']!.join('.'));
        return `${Name} ${text.replace(/[0-9A-F]{8}(?=\.|$)/, '')}`;
      });
      return [id, `${Statistic} ${Namespace} ${MetricName} > ${Threshold}`, of.join(', ')];
    });
    const rule = expect.stringMatching(/^RuleName TRule[0-9A-F]{8}$/);
    const query = 'SELECT SUM(ErrorActionFailure) FROM "AWS/IoT" WHERE RuleName = \'';
    const ofRule = [
      ['ParseErrors', 'Sum AWS/IoT ParseError > 0', rule],
      ['ErrorActions', '> 0', [query, { Ref: expect.stringMatching(/^TRule[0-9A-F]{16}$/) }]],
      ['ThrottledRules', 'Sum AWS/IoT RuleMessageThrottled > 0', rule],
    ];
    expect(seen).toEqual([
      ['DeadLetters', 'Maximum AWS/SQS ApproximateNumberOfMessagesVisible > 0', 'QueueName TDeadLetterQueue.QueueName'],
      ['OldestMessage', 'Maximum AWS/SQS ApproximateAgeOfOldestMessage > 900', 'QueueName TQueue.QueueName'],
      ...ofRule,
      ...ofRule,
      ['CircuitOpen', 'Maximum Outflow CircuitOpen > 0', 'Stack Test, Task T'],
      ['Blocked', 'Maximum Outflow Blocked > 0', 'Stack Test, Task T'],
    ]);
  });

  it('link an article that exists, treat missing data as no breach, and notify the topic of both transitions', () => {
    const topicStack = new Stack(new App(), 'Test');
    const alarmTopic = new Topic(topicStack, 'Topic');
    new OutflowTask(topicStack, 'T', {
      source: new IotTopicSource('a'),
      sink: sink(),
      alarmTopic,
      buffer: new StreamBuffer(),
    });
    const alarms = alarmsOf(Template.fromStack(topicStack));
    const headings = [...readFileSync('docs/runbook.md', 'utf8').matchAll(/^### (.*)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
    const articles = alarms.map(([, { AlarmDescription }]) => /docs\/runbook\.md#(\S+)$/.exec(AlarmDescription)?.[1]);
    expect(new Set(articles).size).toBe(7);
    expect(headings).toEqual(expect.arrayContaining(articles));
    for (const [, properties] of alarms) {
      const { Period = properties.Metrics[0].Period } = properties;
      expect({ ...properties, Period }).toMatchObject({
        TreatMissingData: 'notBreaching',
        DatapointsToAlarm: 1,
        Period: 60,
      });
      const notified = [{ Ref: expect.stringMatching(/^Topic/) }];
      expect(properties).toMatchObject({ AlarmActions: notified, OKActions: notified });
    }
  });

  it('watch the iterator age of a stream, in place of the age of a queue', () => {
    const { template } = declare({ buffer: new StreamBuffer(), alarms: { iteratorAge: Duration.minutes(1) } });
    template().hasResourceProperties('AWS::CloudWatch::Alarm', {
      Namespace: 'AWS/Lambda',
      MetricName: 'IteratorAge',
      Threshold: 60_000,
      Dimensions: [{ Name: 'FunctionName', Value: { Ref: Match.stringLikeRegexp('Worker') } }],
    });
    expect(alarmsOf(template()).map(([id]) => id)).not.toContain('OldestMessage');
  });

  it("are those that the options select and the task's parts allow", () => {
    const ids = (props: Partial<OutflowTaskProps>) => alarmsOf(declare(props).template()).map(([id]) => id);
    const some = {
      deadLetters: false,
      parseErrors: false,
      errorActions: false,
      throttledRules: false,
      oldestMessage: Duration.hours(2),
      blocked: undefined,
    } as never;
    expect(ids({ alarms: some })).toEqual(['OldestMessage', 'CircuitOpen', 'Blocked']);
    expect(ids({ alarms: false })).toEqual([]);
    expect(ids({ buffer: new NoBuffer({ payload: 'reserialised' }) })).toEqual([
      'DeadLetters',
      ...['ParseErrors', 'ErrorActions', 'ThrottledRules'],
      ...['ParseErrors', 'ErrorActions', 'ThrottledRules'],
    ]);
  });

  it('are refused for an unknown name, a fraction of a second, and a topic without alarms', () => {
    expect(() => declare({ alarms: { dlq: true } as never })).toThrow(
      /T\.alarms\.dlq: got true; expected one of deadLetters/,
    );
    expect(() => declare({ alarms: { oldestMessage: Duration.millis(1) } })).toThrow(
      /T\.alarms\.oldestMessage: got 0\.001 seconds;/,
    );
    const topic = Topic.fromTopicArn(new Stack(), 'Topic', 'arn:aws:sns:eu-west-1:111111111111:t');
    expect(() => declare({ alarms: false, alarmTopic: topic })).toThrow(/T\.alarmTopic: .* none if alarms is false/);
  });

  it('link to the repository if package.json names one, otherwise to the package', () => {
    expect(articleLink('a', undefined)).toBe('docs/runbook.md#a');
    expect(articleLink('a', 'git+https://example.org/o/p.git')).toBe(
      'https://example.org/o/p/blob/HEAD/docs/runbook.md#a',
    );
  });
});

it("metrics have the task's dimensions, and sums unless the options differ", () => {
  const { task } = declare({ taskName: 'telemetry' });
  const dimensions = [
    { name: 'Stack', value: 'Test' },
    { name: 'Task', value: 'telemetry' },
  ];
  const metrics = [
    task.metricDelivered(),
    task.metricFiltered(),
    task.metricRetried(),
    task.metricParked(),
    task.metricExpired(),
    task.metricDropped(),
    task.metricDeadLettered(),
  ];
  const configs = metrics.map((metric) => metric.toMetricConfig().metricStat!);
  for (const config of configs) expect(config).toMatchObject({ namespace: 'Outflow', dimensions, statistic: 'Sum' });
  expect(configs.map(({ metricName }) => metricName).join()).toBe(
    'Delivered,Filtered,Retried,Parked,Expired,Dropped,DeadLettered',
  );
  const each = task.metric('Blocked', { period: Duration.minutes(1), statistic: 'Maximum' }).toMetricConfig()
    .metricStat!;
  expect(each).toMatchObject({ metricName: 'Blocked', statistic: 'Maximum', period: Duration.minutes(1) });
});

it('the metadata has the log level, by which `outflow status` knows that `Delivered` is not of every batch', () => {
  const levels = (['info', 'warn', undefined] as const).map((logLevel) => {
    const { Metadata } = declare({ ...(logLevel && { logLevel }) })
      .template()
      .toJSON();
    return Metadata['mqtt-outflow'].tasks[0].logLevel;
  });
  expect(levels).toEqual([undefined, 'warn', undefined]);
});

describe('the metric of incoming messages', () => {
  const native = { statistic: 'Sum', label: 'Incoming' };
  const incoming = (props: Partial<OutflowTaskProps>) =>
    declare(props)
      .task.metricIncoming({ period: Duration.minutes(1) })
      .toMetricConfig();

  it("is the queue's or the stream's", () => {
    expect(incoming({})).toMatchObject({
      metricStat: { namespace: 'AWS/SQS', metricName: 'NumberOfMessagesSent', statistic: 'Sum' },
      renderingProperties: { label: 'Incoming' },
    });
    expect(incoming({ buffer: new StreamBuffer() })).toMatchObject({
      metricStat: {
        namespace: 'AWS/Kinesis',
        metricName: 'IncomingRecords',
        statistic: 'Sum',
        period: Duration.minutes(1),
      },
    });
  });

  it('is the sum of what matches each rule if no worker reads a buffer', () => {
    const buffer = new NoBuffer({ payload: 'reserialised' });
    expect(incoming({ buffer }).mathExpression).toMatchObject({
      expression: 'FILL(m0, 0) + FILL(m1, 0)',
      period: 60,
      usingMetrics: { m0: { namespace: 'AWS/IoT', metricName: 'TopicMatch', ...native } },
    });
    expect(incoming({ buffer, source: new IotTopicSource('a') }).metricStat).toMatchObject({
      namespace: 'AWS/IoT',
      metricName: 'TopicMatch',
      dimensions: [{ name: 'RuleName', value: expect.anything() }],
    });
  });
});

describe('an operator', () => {
  /** The actions that a task grants to an operator, each with the id of its resource. */
  function granted(grant: (task: OutflowTask, operator: Role) => void, props: Partial<OutflowTaskProps> = {}) {
    const { stack, task } = declare(props);
    const operator = new Role(stack, 'Operator', { assumedBy: new ServicePrincipal('ssm.amazonaws.com') });
    grant(task, operator);
    const resources = Template.fromStack(stack).toJSON()['Resources'];
    return identityStatements(resources)
      .filter(({ on }) => on.startsWith('Operator'))
      .flatMap(({ Action, Resource }) =>
        Resource.flatMap((resource) => {
          const text = JSON.stringify(resource);
          expect(text).not.toContain('*');
          const ids = [...text.matchAll(/"(?:AWS::)?([A-Za-z]+?)(?:[0-9A-F]{8})?"(?:,"Arn"\]|\})/g)].map(
            ([, id]) => id,
          );
          const id = ids.find((one) => !/^(Partition|Region|AccountId)$/.test(one!));
          return Action.map((action) => `${action} ${id}`);
        }),
      )
      .sort();
  }
  const stackReading = [
    'cloudformation:DescribeStackResource',
    'cloudformation:GetTemplate',
    'cloudformation:GetTemplateSummary',
    'cloudformation:ListStackResources',
  ].map((action) => `${action} StackId`);

  it('can read and control the task, and nothing more', () => {
    expect(granted((task, operator) => task.grantControl(operator))).toEqual([
      ...stackReading,
      'lambda:GetEventSourceMapping TMapping',
      'lambda:GetEventSourceMapping TRetryMapping',
      'lambda:InvokeFunction TLive',
      'sqs:GetQueueAttributes TDeadLetterQueue',
      'sqs:GetQueueAttributes TQueue',
      'sqs:GetQueueAttributes TRetryQueue',
      'sqs:SendMessage OutflowControlQueue',
      'ssm:GetParameter TState',
    ]);
    expect(
      granted((task, operator) => task.grantControl(operator), { buffer: new NoBuffer({ payload: 'reserialised' }) }),
    ).toEqual([...stackReading, 'sqs:GetQueueAttributes TDeadLetterQueue']);
  });

  it("can redrive the task's dead letters, and nothing more", () => {
    const dlqMessages = [
      'sqs:CancelMessageMoveTask',
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:ListMessageMoveTasks',
      'sqs:ReceiveMessage',
      'sqs:StartMessageMoveTask',
    ].map((action) => `${action} TDeadLetterQueue`);
    const back = ['sqs:GetQueueAttributes TQueue', 'sqs:SendMessage TQueue'];
    expect(granted((task, operator) => task.grantRedrive(operator))).toEqual(
      [...stackReading, ...dlqMessages, ...back].sort(),
    );
    expect(granted((task, operator) => task.grantRedrive(operator), { buffer: new StreamBuffer() })).toEqual(
      [...stackReading, ...dlqMessages, 'kinesis:PutRecords TStream'].sort(),
    );
  });

  it('can look up parts of another stack, which the template does not name', () => {
    const { stack } = declare();
    const task = new OutflowTask(stack, 'Brought', {
      source: new IotTopicSource('b'),
      sink: sink(),
      buffer: new StreamBuffer({
        stream: Stream.fromStreamArn(stack, 'Imported', 'arn:aws:kinesis:us-east-1:000000000000:stream/imported'),
      }),
      deadLetterQueue: Queue.fromQueueArn(stack, 'Dead', 'arn:aws:sqs:us-east-1:000000000000:dead'),
    });
    const operator = new Role(stack, 'Operator', { assumedBy: new ServicePrincipal('ssm.amazonaws.com') });
    task.grantRedrive(operator);
    const statements = identityStatements(Template.fromStack(stack).toJSON()['Resources']);
    const allowed = statements.filter(({ on }) => on.startsWith('Operator')).flatMap(({ Action }) => Action);
    expect(allowed).toEqual(
      expect.arrayContaining(['kinesis:PutRecords', 'lambda:GetEventSourceMapping', 'lambda:GetFunctionConfiguration']),
    );
  });

  it('can decrypt and encrypt with a customer managed key', () => {
    const { stack, task } = declare({ encryptionKey: undefined });
    const key = new Key(stack, 'Key');
    const keyed = new OutflowTask(stack, 'Keyed', {
      source: new IotTopicSource('c'),
      sink: sink(),
      encryptionKey: key,
    });
    const operator = new Role(stack, 'Operator', { assumedBy: new ServicePrincipal('ssm.amazonaws.com') });
    keyed.grantRedrive(operator);
    task.grantRedrive(operator);
    const statements = identityStatements(Template.fromStack(stack).toJSON()['Resources']);
    const allowed = statements.filter(({ on }) => on.startsWith('Operator')).flatMap(({ Action }) => Action);
    expect(allowed).toEqual(expect.arrayContaining(['kms:Decrypt', 'kms:GenerateDataKey']));
  });

  it("in another stack can read the task's stack, and the worker's environment for a queue of a third stack", () => {
    const { stack, task } = declare();
    const app = stack.node.root as App;
    const shared = new Queue(new Stack(app, 'Shared'), 'Dead');
    const other = new OutflowTask(stack, 'U', {
      source: new IotTopicSource('u'),
      sink: sink(),
      deadLetterQueue: shared,
    });
    const home = new Stack(app, 'Operators');
    const operator = new Role(home, 'Operator', { assumedBy: new ServicePrincipal('ssm.amazonaws.com') });
    other.grantRedrive(operator);
    const statements = identityStatements(Template.fromStack(home).toJSON()['Resources']);
    const read = statements.find(({ Action }) => Action.includes('cloudformation:GetTemplate'))!;
    expect(JSON.stringify(read.Resource)).toMatch(/Fn::ImportValue.*Test:.*StackId/);
    expect(statements.flatMap(({ Action }) => Action)).toContain('lambda:GetFunctionConfiguration');
    expect(task.deadLetterQueue).not.toBe(shared);
  });
});

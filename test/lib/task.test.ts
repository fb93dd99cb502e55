import { App, CfnParameter, Duration, RemovalPolicy, Stack, Tags, Validations } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Stream, StreamEncryption } from 'aws-cdk-lib/aws-kinesis';
import { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { Construct } from 'constructs';
import { describe, expect, it } from 'vitest';
import { compileIotSql, renderIotTemplate } from '../../lambdas/core/sql/aws/engine.ts';
import { matchesTopicFilter } from '../../lambdas/core/topic-filter.ts';
import {
  ClientEventsSource,
  IotTopicSource,
  KinesisSink,
  NoBuffer,
  OutflowTask,
  type OutflowTaskProps,
  QueueBuffer,
  StreamBuffer,
} from '../../lib/index.ts';

function synth(props: Partial<OutflowTaskProps> = {}) {
  const stack = new Stack(new App(), 'Test');
  const stream = new Stream(stack, 'Stream', { encryption: StreamEncryption.MANAGED });
  const task = new OutflowTask(stack, 'Telemetry', {
    source: new IotTopicSource('devices/+/telemetry'),
    sink: new KinesisSink(stream, { partitionKey: '${clientid}', payload: '${payload}' }),
    ...props,
  });
  return { stack, stream, task, template: () => Template.fromStack(stack) };
}

describe('OutflowTask', () => {
  it('pushes batches by size or time, whichever comes first (D7–D9)', () => {
    const { template } = synth({ batchPush: { messages: 500, interval: Duration.seconds(3) } });
    template().hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 500,
      MaximumBatchingWindowInSeconds: 3,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      FunctionName: Match.objectLike({ 'Fn::Join': Match.anyValue() }), // the alias
    });
    template().hasResourceProperties('AWS::SQS::Queue', {
      VisibilityTimeout: 363,
      RedrivePolicy: Match.objectLike({ maxReceiveCount: 1000 }),
    });
  });

  it('gives more than ten messages with interval 0 a batching window of a second, with a note', () => {
    const { stack, template } = synth({ batchPush: { messages: 11, interval: Duration.seconds(0) } });
    template().hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 11,
      MaximumBatchingWindowInSeconds: 1,
    });
    Annotations.fromStack(stack).hasInfo('/Test/Telemetry', Match.stringLikeRegexp('wait up to 1 second'));
  });

  it('lets the worker read which messages are skipped where a message can block the task', () => {
    const state = Match.objectLike({ Variables: Match.objectLike({ STATE_PARAMETER: Match.anyValue() }) });
    const { template } = synth({ faultTolerance: 'prohibited' });
    template().hasResourceProperties('AWS::Lambda::Function', { Environment: state });
    const tolerant = synth()
      .template()
      .findResources('AWS::Lambda::Function', { Properties: { Environment: state } });
    expect(Object.keys(tolerant)).toEqual([]);
  });

  it('names the SQL version, sends the whole message, and sends errors to the dead-letter queue', () => {
    const { template } = synth();
    template().hasResourceProperties('AWS::IoT::TopicRule', {
      TopicRulePayload: {
        AwsIotSqlVersion: '2016-03-23',
        Sql: Match.stringLikeRegexp("encode\\(\\*, 'base64'\\) AS payload.* FROM 'devices/\\+/telemetry'$"),
        Actions: [
          { Sqs: Match.objectLike({ UseBase64: false, QueueUrl: { Ref: Match.stringLikeRegexp('TelemetryQueue') } }) },
        ],
        ErrorAction: {
          Sqs: Match.objectLike({ QueueUrl: { Ref: Match.stringLikeRegexp('TelemetryDeadLetterQueue') } }),
        },
      },
    });
  });

  it('allows its rules and its worker the calls that they make, and no others (S01, S04)', () => {
    const { template } = synth();
    const roles = template().findResources('AWS::IAM::Role');
    const trust = Object.entries(roles).find(([id]) => id.includes('RuleRole'))![1].Properties.AssumeRolePolicyDocument
      .Statement[0];
    expect(Object.values(trust.Condition).map((condition) => Object.keys(condition as object))).toEqual([
      ['aws:SourceAccount'],
      ['aws:SourceArn'],
    ]);
    const allowed = Object.entries(template().findResources('AWS::IAM::Policy')).map(([id, { Properties }]) => {
      const statements: { Action: string | string[]; Resource: unknown }[] = Properties.PolicyDocument.Statement;
      for (const { Resource } of statements) expect(JSON.stringify(Resource)).not.toContain('*');
      return [id.replace(/Default.*/, ''), [...new Set(statements.flatMap(({ Action }) => Action))].sort()];
    });
    expect(Object.fromEntries(allowed)).toEqual({
      TelemetryRuleRole: ['sqs:SendMessage'],
      TelemetryWorkerRole: [
        'kinesis:DescribeStreamSummary',
        'kinesis:PutRecords',
        'logs:CreateLogStream',
        'logs:PutLogEvents',
        'sqs:ChangeMessageVisibility',
        'sqs:DeleteMessage',
        'sqs:GetQueueAttributes',
        'sqs:ReceiveMessage',
        'sqs:SendMessage',
      ],
      OutflowControlRole: [
        'iot:DisableTopicRule',
        'iot:EnableTopicRule',
        'lambda:GetEventSourceMapping',
        'lambda:InvokeFunction',
        'lambda:UpdateEventSourceMapping',
        'logs:CreateLogStream',
        'logs:PutLogEvents',
        'sqs:ChangeMessageVisibility',
        'sqs:DeleteMessage',
        'sqs:GetQueueAttributes',
        'sqs:GetQueueUrl',
        'sqs:ReceiveMessage',
        'sqs:SendMessage',
        'ssm:GetParameter',
        'ssm:GetParameters',
        'ssm:LabelParameterVersion',
        'ssm:PutParameter',
      ],
    });
  });

  it('logs one line for each batch, without those of AWS Lambda', () => {
    const { template } = synth();
    template().hasResourceProperties('AWS::Lambda::Function', {
      Description: Match.stringLikeRegexp('Telemetry'),
      LoggingConfig: Match.objectLike({ LogFormat: 'JSON', SystemLogLevel: 'WARN' }),
    });
  });

  it('retains its queues and logs when it is removed, encrypts them, and requires TLS (S03)', () => {
    const { template } = synth();
    template().allResourcesProperties('AWS::SQS::Queue', { SqsManagedSseEnabled: true });
    const kept = Object.entries(
      template().findResources('AWS::SQS::Queue', { DeletionPolicy: 'RetainExceptOnCreate' }),
    );
    expect(kept.map(([id]) => id.replace(/[0-9A-F]{8}$/, '')).sort()).toEqual([
      'TelemetryDeadLetterQueue',
      'TelemetryQueue',
      'TelemetryRetryQueue',
    ]);
    template().allResourcesProperties('AWS::SQS::QueuePolicy', {
      PolicyDocument: {
        Statement: [Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })],
      },
    });
    template().hasResource('AWS::Logs::LogGroup', {
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: { RetentionInDays: 30 },
    });
    template().hasResourceProperties('AWS::Lambda::Function', { Runtime: 'nodejs24.x', Timeout: 60 });
  });

  it('allows the rules and the worker to use a customer managed key', () => {
    const stack = new Stack(new App(), 'Test');
    const key = new Key(stack, 'Key');
    new OutflowTask(stack, 'T', {
      source: new IotTopicSource('t'),
      sink: new KinesisSink('s', { partitionKey: '${id}' }),
      encryptionKey: key,
    });
    const policies = JSON.stringify(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
    expect(policies.match(/kms:GenerateDataKey/g)!.length).toBeGreaterThanOrEqual(2);
    expect(policies).toContain('kms:Decrypt');
  });

  it('may write to the stream construct, the named stream, or the listed streams', () => {
    const resources = (sink: (streams: Stream[]) => KinesisSink) => {
      const stack = new Stack(new App(), 'Test');
      const streams = ['A', 'B'].map((id) => new Stream(stack, id));
      new OutflowTask(stack, 'T', { source: new IotTopicSource('t'), sink: sink(streams) });
      const policies = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'));
      const statements: { Action: string; Resource: unknown }[] = policies.flatMap(
        (policy) => policy.Properties.PolicyDocument.Statement,
      );
      return JSON.stringify(statements.find(({ Action }) => Action === 'kinesis:PutRecords')!.Resource);
    };
    expect(resources(([a]) => new KinesisSink(a!, { partitionKey: 'k' }))).toMatch(/^{"Fn::GetAtt":\["A[0-9A-F]{8}"/);
    expect(resources(() => new KinesisSink('mine', { partitionKey: 'k' }))).toContain(':stream/mine');
    const routed = resources((streams) => new KinesisSink('s-${payload.site}', { partitionKey: 'k', streams }));
    expect(routed.match(/"[AB][0-9A-F]{8}"/g)).toHaveLength(2);
  });

  it("lists its parts in the template's metadata", () => {
    const { template } = synth();
    const metadata = template().toJSON().Metadata['mqtt-outflow'];
    expect(metadata).toMatchObject({ v: 1, tasks: [{ task: 'Telemetry', path: 'Test/Telemetry', sink: 'kinesis' }] });
    const resources = template().toJSON().Resources;
    const { rules, queue, retryQueue, deadLetterQueue, worker, mappings, state, controlQueue, controlFunction } =
      metadata.tasks[0];
    const parts = [...rules, queue, retryQueue, deadLetterQueue, worker, ...mappings, state, controlQueue];
    expect([...parts, controlFunction].map((id) => resources[id].Type)).toEqual([
      'AWS::IoT::TopicRule',
      'AWS::SQS::Queue',
      'AWS::SQS::Queue',
      'AWS::SQS::Queue',
      'AWS::Lambda::Function',
      'AWS::Lambda::EventSourceMapping',
      'AWS::Lambda::EventSourceMapping',
      'AWS::SSM::Parameter',
      'AWS::SQS::Queue',
      'AWS::Lambda::Function',
    ]);
  });

  it('retries from a queue without a batching window, allows the recursive loop, and limits the concurrency of both queues (D18, A8)', () => {
    const { template } = synth({ maxConcurrency: 10, batchPush: { messages: 100, interval: Duration.seconds(5) } });
    template().hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 10,
      MaximumBatchingWindowInSeconds: Match.absent(),
      ScalingConfig: { MaximumConcurrency: 2 },
      EventSourceArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('RetryQueue'), 'Arn'] },
      Enabled: Match.absent(),
    });
    template().hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 100,
      ScalingConfig: { MaximumConcurrency: 10 },
    });
    template().hasResourceProperties('AWS::Lambda::Function', {
      Description: 'Outflow task Telemetry',
      RecursiveLoop: 'Allow',
    });
  });

  it('refuses the name of another task of the stack, because metrics, alarms and control use it (C8)', () => {
    const stack = new Stack(new App(), 'Test');
    const declare = (line: string, taskName?: string) => {
      const sink = new KinesisSink('stream', { partitionKey: 'k' });
      const props = { source: new IotTopicSource(`${line}/#`), sink, ...(taskName !== undefined && { taskName }) };
      return new OutflowTask(new Construct(stack, line), 'Telemetry', props);
    };
    declare('LineA');
    expect(() => declare('LineB')).toThrow(
      /Test\/LineB\/Telemetry.taskName: got 'Telemetry'; expected .* it is the name of Test\/LineA\/Telemetry/,
    );
    expect(() => declare('LineC', 'LineC')).not.toThrow();
  });

  it("refuses more tasks in a stack than the control function's environment can name", () => {
    const stack = new Stack(new App(), 'Test');
    let count = 0;
    const declareAnother = () => {
      count++;
      const sink = new KinesisSink('stream', { partitionKey: 'k' });
      return new OutflowTask(stack, `Line${count}`, { source: new IotTopicSource(`${count}/#`), sink });
    };
    const declareTooMany = () => {
      while (count < 200) declareAnother();
    };
    expect(declareTooMany).toThrow(
      /Test\/Line\d+: got task \d+ of its stack; expected at most \d+ tasks with names of this length/,
    );
    // CloudFormation takes the resources of half as many in one stack.
    expect(count).toBeGreaterThan(40);
  });

  it('names the role of its worker to the control function', () => {
    const [, fn] = Object.entries(synth().template().findResources('AWS::Lambda::Function')).find(([id]) =>
      id.startsWith('OutflowControlFunction'),
    )!;
    expect(fn.Properties.Environment.Variables.WORKER_ROLES).toEqual({
      'Fn::Join': [
        '',
        [
          '{"Telemetry":"',
          { 'Fn::GetAtt': [expect.stringMatching(/^TelemetryWorkerRole[0-9A-F]{8}$/), 'RoleId'] },
          '"}',
        ],
      ],
    });
  });

  it('is controlled in an invocation of its own, so that no other task delays it (D20)', () => {
    const { template } = synth();
    template().hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      EventSourceArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^OutflowControlQueue'), 'Arn'] },
      BatchSize: 1,
    });
  });

  it("warns that poison: 'block' lets any publisher stop the task, which the default does not", () => {
    const warning = Match.stringLikeRegexp('^poison: .*any publisher can stop the task');
    const blocking = synth({ faultTolerance: 'prohibited', poison: 'block' });
    Annotations.fromStack(blocking.stack).hasWarning('/Test/Telemetry', warning);
    Annotations.fromStack(synth({ faultTolerance: 'prohibited' }).stack).hasNoWarning('*', warning);
  });

  it('starts paused with enabled: false (D19)', () => {
    const { template } = synth({ enabled: false });
    template().resourcePropertiesCountIs('AWS::Lambda::EventSourceMapping', { Enabled: false }, 2);
    expect(template().toJSON().Metadata['mqtt-outflow'].tasks[0]).toMatchObject({ enabled: false });
    template().hasResourceProperties('AWS::SSM::Parameter', {
      Value: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('"enabled":false')])] },
    });
  });

  it('keeps its state parameter unchanged, whatever option changes (D19)', () => {
    const stateOf = (props: Partial<OutflowTaskProps>) => {
      const parameters = synth(props).template().findResources('AWS::SSM::Parameter');
      return Object.entries(parameters).find(([id]) => id.startsWith('TelemetryState'));
    };
    expect(stateOf({})).toBeDefined();
    expect(stateOf({ enabled: false, taskName: 'other', description: 'other' })).toEqual(stateOf({}));
    const tagged = synth();
    Tags.of(tagged.stack).add('costs', 'plant');
    const parameters = tagged.template().findResources('AWS::SSM::Parameter');
    expect(Object.entries(parameters).find(([id]) => id.startsWith('TelemetryState'))).toEqual(stateOf({}));
  });

  it('is clean under cdk-nag AwsSolutions (S02)', () => {
    const app = new App();
    const stack = new Stack(app, 'Test');
    const stream = new Stream(stack, 'Stream', { encryption: StreamEncryption.MANAGED });
    const sink = () => new KinesisSink(stream, { partitionKey: '${clientid}', payload: '${payload}' });
    new OutflowTask(stack, 'Buffered', { source: new IotTopicSource(['a/#', 'a/b', '+/b']), sink: sink() });
    new OutflowTask(stack, 'Native', {
      source: new IotTopicSource('b'),
      sink: sink(),
      buffer: new NoBuffer({ payload: 'reserialised' }),
    });
    new OutflowTask(stack, 'Own', {
      source: new IotTopicSource('c'),
      sink: sink(),
      encryptionKey: new Key(stack, 'Key', { enableKeyRotation: true }),
    });
    Validations.of(app).addPlugins(new AwsSolutionsChecks());
    expect(() => app.synth()).not.toThrow();
  });
});

describe('several filters', () => {
  it("are limited to those whose names fit in the worker's environment of 4 KB", () => {
    const lines = (count: number) => new IotTopicSource(Array.from({ length: count }, (_, i) => `line${i}/#`));
    const { stack, template } = synth({ source: lines(50) });
    const [fn] = Object.values(
      template().findResources('AWS::Lambda::Function', {
        Properties: { Description: 'Outflow task Telemetry' },
      }),
    );
    const text = JSON.stringify(stack.resolve(fn!.Properties.Environment.Variables), (_, value) =>
      // CloudFormation generates a name of the stack's name, the logical id, and 12 characters.
      typeof value?.Ref === 'string' ? `Test_${value.Ref}_${'x'.repeat(12)}` : value,
    );
    expect(text.match(/Test_Telemetry[^,]*Rule/g)).toHaveLength(50);
    expect(text.length).toBeLessThan(4_096);
    expect(() => synth({ source: lines(80) })).toThrow(
      /Telemetry.source: got 80 rules.*; expected at most \d\d in one task/,
    );
  });

  const sqlOf = (filters: string[]) => {
    const { template } = synth({ source: new IotTopicSource(filters) });
    return Object.values(template().findResources('AWS::IoT::TopicRule')).map(
      (rule) => rule.Properties.TopicRulePayload.Sql as string,
    );
  };

  it('receive each message once, and miss none', () => {
    const filters = ['a/#', 'a/+/c', '+/b/c', '$aws/things/+/shadow/#', '#', 'x.y/(z)/+', 'x.y/+/1', 'a/#'];
    const rules = sqlOf(filters).map((sql) => compileIotSql(sql));
    const topics = [
      'a',
      'a/b',
      'a/b/c',
      'b/b/c',
      '/b/c',
      '$aws/things/t/shadow/update',
      '$other/b/c',
      'x.y/(z)/1',
      'xzy/(z)/1',
      'zzz',
      'a/b/n\nl',
      'b/b/c\n',
      'a\n',
    ];
    for (const topic of topics) {
      const fired = rules.filter((rule) => rule.evaluate({ topic, payload: Buffer.from('{') }) !== undefined).length;
      expect([topic, fired]).toEqual([topic, filters.some((filter) => matchesTopicFilter(filter, topic)) ? 1 : 0]);
    }
  });

  it('keep the logical ids and the SQL of the rules whose filter stays, and no message is missed meanwhile', () => {
    const rulesOf = (filters: string[]) =>
      synth({ source: new IotTopicSource(filters) })
        .template()
        .findResources('AWS::IoT::TopicRule');
    const before = rulesOf(['a/#', 'b/#', 'c/#']);
    const after = rulesOf(['d', 'b/#', 'c/#']);
    const kept = Object.keys(before).filter((id) => id in after);
    expect(kept).toHaveLength(2);
    for (const id of kept) expect(after[id]).toEqual(before[id]);
    // The rule that takes the topics of both is made before the other one excludes them.
    const [[taking] = [], [, excluding] = []] = Object.entries(rulesOf(['+/b', 'a/#'])) as [string, typeof before][];
    expect(excluding!['DependsOn']).toContain(taking);
  });

  it("that overlap are refused if the rules' SQL could not distinguish them", () => {
    expect(() => sqlOf(['a^/+', '+/b'])).toThrow(
      /Telemetry\.source\.filters: got 'a\^\/\+'; expected a filter without '\^'/,
    );
  });
});

describe('an invalid option fails at synth: the error names the option, the value given and the value expected', () => {
  const kinesis = (over: object) => new KinesisSink('s', { partitionKey: '${id}', ...over });
  const cases: [string, () => Partial<OutflowTaskProps>, RegExp][] = [
    [
      'unknown task option',
      () => ({ batchpush: 1 }) as never,
      /Telemetry\.batchpush: got an unknown option; expected one of source, sink/,
    ],
    ['unknown sink option', () => ({ sink: kinesis({ pool_size: 4 }) }), /Telemetry\.sink\.pool_size: got/],
    ['unknown source option', () => ({ source: new IotTopicSource('a', { qos: 1 } as never) }), /source\.qos: got/],
    [
      'quote in a filter',
      () => ({ source: new IotTopicSource("a'/b") }),
      /filters\.0: got 'a'\/b'; expected no quotes/,
    ],
    [
      'newline in a filter',
      () => ({ source: new IotTopicSource('a\n') }),
      /filters\.0: .*expected no control characters/s,
    ],
    ['8 slashes', () => ({ source: new IotTopicSource('a/b/c/d/e/f/g/h/i') }), /expected at most 7 slashes/],
    ['257 bytes', () => ({ source: new IotTopicSource('é'.repeat(129)) }), /expected .*256/],
    ['misplaced wildcard', () => ({ source: new IotTopicSource('a/#/b') }), /expected '#' alone, as the last level/],
    ['half a wildcard', () => ({ source: new IotTopicSource('a/b+') }), /expected '\+' alone/],
    ['no filter', () => ({ source: new IotTopicSource([]) }), /source\.filters: got \[\]/],
    [
      'invalid pattern',
      () => ({ filter: { data: { body: { t: [{ numeric: ['>', 'x'] }] } } } as never }),
      /Telemetry\.filter: .*data\.body\.t/s,
    ],
    [
      'invalid template',
      () => ({ sink: kinesis({ payload: '${a' }) }),
      /Telemetry\.sink\.payload: .*without a closing brace/,
    ],
    ['no partition key', () => ({ sink: kinesis({ partitionKey: '' }) }), /sink\.partitionKey: got ''/],
    [
      '0 messages',
      () => ({ batchPush: { messages: 0, interval: Duration.seconds(1) } }),
      /batchPush\.messages: got 0; expected .*1/,
    ],
    [
      '10,001 messages',
      () => ({ batchPush: { messages: 10_001, interval: Duration.seconds(1) } }),
      /got 10001; expected .*10000/,
    ],
    [
      '16 s',
      () => ({ batchPush: { messages: 1, interval: Duration.seconds(16) } }),
      /batchPush\.interval: got 16 seconds; expected 0 to 15 seconds/,
    ],
    [
      'half a second',
      () => ({ batchPush: { messages: 1, interval: Duration.millis(500) } }),
      /batchPush\.interval: got 0\.5 seconds/,
    ],
    ['name', () => ({ taskName: 'a b' }), /taskName: got 'a b'; expected 1 to 64 letters, digits/],
    [
      'stream template without streams',
      () => ({ sink: new KinesisSink('${topic}', { partitionKey: 'k' }) }),
      /sink\.streams: got undefined/,
    ],
    [
      'NoBuffer with a filter',
      () => ({ buffer: new NoBuffer({ payload: 'reserialised' }), filter: { subject: ['a'] } }),
      /filter: got .*expected nothing: with NoBuffer/,
    ],
    [
      'NoBuffer with memory',
      () => ({ buffer: new NoBuffer({ payload: 'reserialised' }), memorySize: 3000 }),
      /Telemetry\.memorySize: got 3000; expected nothing: with NoBuffer/,
    ],
    [
      'NoBuffer with a log',
      () => ({
        buffer: new NoBuffer({ payload: 'reserialised' }),
        logGroup: LogGroup.fromLogGroupName(new Stack(), 'L', 'l'),
      }),
      /Telemetry\.logGroup: got a log group; expected nothing: with NoBuffer/,
    ],
    [
      'NoBuffer with defaults',
      () => ({
        buffer: new NoBuffer({ payload: 'reserialised' }),
        source: new IotTopicSource('a', { defaults: { qos: 1 } }),
      }),
      /Telemetry\.source\.defaults: got .*expected nothing: with NoBuffer/,
    ],
    [
      'a retention for a given stream',
      () => ({
        buffer: new StreamBuffer({ stream: new Stream(new Stack(), 'S'), retentionPeriod: Duration.days(30) }),
      }),
      /Telemetry\.buffer\.retentionPeriod: got 30 days; expected none with stream/,
    ],
    [
      'NoBuffer without payload',
      () => ({ buffer: new NoBuffer({} as never) }),
      /buffer\.payload: got undefined; expected 'reserialised'/,
    ],
    [
      'NoBuffer with a blank payload',
      () => ({ buffer: new NoBuffer({ payload: 'reserialised' }), sink: kinesis({}) }),
      /sink\.payload: got undefined/,
    ],
    [
      'NoBuffer with a template that only a worker can render',
      () => ({
        buffer: new NoBuffer({ payload: 'reserialised' }),
        sink: kinesis({ payload: '${payload}', partitionKey: '${payload.x}' }),
      }),
      /partitionKey: .*placeholders among/,
    ],
  ];
  it.each(cases)('%s', (_, props, message) => expect(() => synth(props())).toThrow(message));

  it('accepts CDK tokens as the whole value of a target, and nowhere else', () => {
    const stack = new Stack(new App(), 'Test');
    const token = new CfnParameter(stack, 'Name').valueAsString;
    const task = (props: Partial<OutflowTaskProps>) => () =>
      new OutflowTask(stack, `T${stack.node.children.length}`, {
        source: new IotTopicSource('a'),
        sink: new KinesisSink('s', { partitionKey: 'k' }),
        ...props,
      });
    expect(task({ source: new IotTopicSource(`a/${token}`) })).toThrow(
      /source\.filters\.0: got a CDK token, which .*; expected a value known at synth/,
    );
    expect(task({ filter: { subject: [token] } })).toThrow(/filter\.subject\.0/);
    expect(task({ sink: new KinesisSink('s', { partitionKey: token }) })).toThrow(/sink\.partitionKey/);
    const site = '${payload.site}';
    for (const mixed of [`${site}-${token}`, `${token}-${site}`, `$.data.${token}`])
      expect(task({ sink: new KinesisSink(mixed, { partitionKey: 'k' }) })).toThrow(
        /sink\.stream: got a template with a CDK token in it; expected a template known at synth, or/,
      );
    task({ sink: new KinesisSink(`plant-${token}`, { partitionKey: 'k' }) })();
    task({ sink: new KinesisSink(token, { partitionKey: 'k' }) })();
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { SINK_STREAM: { Ref: 'Name' } } },
    });
  });
});

describe('NoBuffer', () => {
  it("makes a rule action for the sink's stream, without a worker and without queues", () => {
    const { template } = synth({
      buffer: new NoBuffer({ payload: 'reserialised' }),
      deadLetterQueue: undefined,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    template().resourceCountIs('AWS::Lambda::Function', 0);
    template().resourceCountIs('AWS::SQS::Queue', 1);
    template().hasResourceProperties('AWS::IoT::TopicRule', {
      TopicRulePayload: Match.objectLike({
        Sql: "SELECT * FROM 'devices/+/telemetry'",
        Actions: [{ Kinesis: Match.objectLike({ PartitionKey: '${clientid()}' }) }],
      }),
    });
  });
});

describe('NoBuffer with client events', () => {
  const native = (source: ConstructorParameters<typeof ClientEventsSource>[0], partitionKey = '${clientid}') =>
    synth({
      source: new ClientEventsSource(source),
      buffer: new NoBuffer({ payload: 'reserialised' }),
      sink: new KinesisSink('s', { partitionKey, payload: '${payload}' }),
    });

  it('takes the client id from the event, because AWS IoT Core publishes it itself', () => {
    const rules = native({}).template().findResources('AWS::IoT::TopicRule');
    const payload = Buffer.from('{"clientId":"d1","eventType":"connected"}');
    for (const { Properties } of Object.values(rules)) {
      const [{ Kinesis: action }] = Properties.TopicRulePayload.Actions;
      expect(renderIotTemplate(action.PartitionKey, { topic: '$aws/events/presence/connected/d1', payload })).toBe(
        'd1',
      );
    }
    expect(Object.keys(rules)).toHaveLength(4);
    expect(() => native({}, '${topic}')).toThrow(/sink\.partitionKey: .*placeholders among id, clientid, principal/);
  });

  it.each([
    [{ subscribedTo: 'secret/#' }, /Telemetry\.source\.subscribedTo: got 'secret\/#'; expected nothing: with NoBuffer/],
    [{ username: 'u' }, /Telemetry\.source\.username: got 'u'; expected nothing: with NoBuffer/],
  ])('refuses an option that only a worker can act on: %j', (source, message) =>
    expect(() => native(source)).toThrow(message),
  );
});

describe('StreamBuffer (E5)', () => {
  it('puts the messages of a client into one shard, and leaves giving up to the worker', () => {
    const { template } = synth({ buffer: new StreamBuffer({ order: 'strict' }) });
    template().hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 100,
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: -1,
      MaximumRecordAgeInSeconds: -1,
      StartingPosition: 'TRIM_HORIZON',
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
    template().hasResource('AWS::Kinesis::Stream', {
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: { RetentionPeriodHours: 168, StreamEncryption: Match.anyValue() },
    });
    const [rule] = Object.values(template().findResources('AWS::IoT::TopicRule'));
    const [{ Kinesis: action }] = rule!.Properties.TopicRulePayload.Actions;
    const render = (clientId?: string) =>
      renderIotTemplate(action.PartitionKey, { topic: 't', payload: Buffer.alloc(0), clientId });
    expect(render('device-1')).toBe('device-1');
    expect(render()).toMatch(/^[0-9a-f-]{36}$/);
    expect(render()).not.toBe(render());
  });

  it('is clean under cdk-nag AwsSolutions (S02)', () => {
    const { stack } = synth({ buffer: new StreamBuffer() });
    Validations.of(stack.node.root).addPlugins(new AwsSolutionsChecks());
    expect(() => (stack.node.root as App).synth()).not.toThrow();
  });

  it.each([
    [{ maxConcurrency: 4 }, /maxConcurrency: got 4/],
    [
      { buffer: new StreamBuffer({ retentionPeriod: Duration.hours(1) }) },
      /retentionPeriod: got 1 hour; expected 1 to 365 days/,
    ],
  ])('refuses an option that a stream does not support: %j', (props, message) => {
    expect(() => synth({ buffer: new StreamBuffer(), ...props })).toThrow(message);
  });
});

describe('a dead-letter queue of the user', () => {
  it('replaces the dead-letter queue of the task', () => {
    const stack = new Stack(new App(), 'Test');
    const deadLetterQueue = new Queue(stack, 'Mine');
    const buffer = new QueueBuffer({ retentionPeriod: Duration.days(1) });
    new OutflowTask(stack, 'T', {
      source: new IotTopicSource('a'),
      sink: new KinesisSink('s', { partitionKey: 'k' }),
      deadLetterQueue,
      buffer,
    });
    const template = Template.fromStack(stack);
    const queues = Object.keys(template.findResources('AWS::SQS::Queue')).map((id) => id.replace(/[0-9A-F]{8}$/, ''));
    expect(queues.sort()).toEqual(['Mine', 'OutflowControlQueue', 'TQueue', 'TRetryQueue']);
    template.hasResourceProperties('AWS::SQS::Queue', {
      MessageRetentionPeriod: 86_400,
      RedrivePolicy: Match.anyValue(),
    });
  });
});

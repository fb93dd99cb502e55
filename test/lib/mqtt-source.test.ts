import { App, Aws, CfnParameter, Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import {
  KinesisSink,
  MqttConnector,
  type MqttConnectorProps,
  MqttSource,
  type MqttSourceProps,
  NoBuffer,
  OutflowTask,
  type OutflowTaskProps,
  StreamBuffer,
} from '../../lib/index.ts';
import { readAssembly, readSpec } from '../../localstack/one-process/assembly.ts';

interface Declaration {
  readonly source?: Partial<MqttSourceProps>;
  readonly connector?: (stack: Stack) => Partial<MqttConnectorProps>;
  readonly task?: (stack: Stack) => Partial<OutflowTaskProps>;
}

function declare({ source = {}, connector = () => ({}), task = () => ({}) }: Declaration = {}) {
  const stack = new Stack(new App(), 'Test');
  const plant = new MqttConnector(stack, 'Plant', { server: 'mqtts://broker.plant:8883', ...connector(stack) });
  new OutflowTask(stack, 'Inbound', {
    source: new MqttSource(plant, { topics: ['temp_hum/#'], ...source }),
    sink: new KinesisSink('s', { partitionKey: '${topic}' }),
    ...task(stack),
  } as OutflowTaskProps);
  return stack;
}

// biome-ignore lint/suspicious/noExplicitAny: templates have no type
type Properties = Record<string, any>;

function resources(stack: Stack, type: string, id = /^/): Record<string, Properties> {
  const found = Object.entries(Template.fromStack(stack).findResources(type)).filter(([name]) => id.test(name));
  return Object.fromEntries(found.map(([name, { Properties }]) => [name, Properties]));
}

function one(stack: Stack, type: string, id?: RegExp): Properties {
  const found = Object.values(resources(stack, type, id));
  expect(found.length).toBe(1);
  return found[0]!;
}

const sessions = (stack: Stack) => one(stack, 'AWS::Lambda::Function', /^InboundSessions/);

/** Actions of the role of a function, each with the logical ids of its resources. */
function allowed(stack: Stack, role: RegExp): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  const policies = resources(stack, 'AWS::IAM::Policy', role);
  for (const { PolicyDocument } of Object.values(policies))
    for (const { Action, Resource } of PolicyDocument.Statement)
      for (const action of [Action].flat())
        found[action] = [
          ...(found[action] ?? []),
          ...(JSON.stringify(Resource).match(/Inbound\w+|Plant\w+|Given\w+/g) ?? ['*']),
        ];
  for (const [action, ids] of Object.entries(found)) found[action] = ids.map((id) => id.replace(/[\dA-F]{8}$/, ''));
  return found;
}

function specOf(stack: Stack): Record<string, unknown> {
  const [read] = readAssembly((stack.node.root as App).synth().directory);
  const { function: id } = read!.tasks[0]!.functions![0]!;
  return readSpec(read!, read!.template.Resources![id]!) as Record<string, unknown>;
}

describe('MqttSource', () => {
  it('makes a function whose asynchronous invocations are neither retried nor late', () => {
    const stack = declare();
    expect(sessions(stack)).toMatchObject({
      Runtime: 'nodejs24.x',
      Timeout: 900,
      Environment: {
        Variables: {
          QUEUE_URL: { Ref: expect.stringMatching(/^InboundQueue/) },
          DEAD_LETTER_QUEUE_URL: { Ref: expect.stringMatching(/^InboundDeadLetterQueue/) },
          INTAKE_PARAMETER: { Ref: expect.stringMatching(/^InboundIntake/) },
          SLOT_PARAMETERS: expect.anything(),
        },
      },
    });
    expect(one(stack, 'AWS::Lambda::EventInvokeConfig')).toMatchObject({
      MaximumRetryAttempts: 0,
      MaximumEventAgeInSeconds: 60,
      Qualifier: expect.anything(),
    });
  });

  it('starts each slot each minute, and at once after a deployment that changes the function', () => {
    const stack = declare({ source: { sessions: 7, shareGroup: 'outflow' } });
    const alias = expect.stringMatching(/^InboundSessionsLive/);
    const slots = (rules: Record<string, Properties>) =>
      Object.values(rules).flatMap(({ Targets }) => {
        expect(Targets.length).toBeLessThanOrEqual(5);
        return Targets.map(({ Input, Arn }: Record<string, string>) => {
          expect(Arn).toEqual({ Ref: alias });
          return JSON.parse(Input!).slot;
        });
      });
    const scheduled = resources(stack, 'AWS::Events::Rule', /^InboundSessionStarts/);
    expect(slots(scheduled)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (const rule of Object.values(scheduled)) expect(rule).toMatchObject({ ScheduleExpression: 'rate(1 minute)' });
    const changes = resources(stack, 'AWS::Events::Rule', /^InboundSessionChanges/);
    expect(slots(changes)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (const rule of Object.values(changes))
      expect(rule).toMatchObject({
        EventPattern: {
          source: ['aws.cloudformation'],
          'detail-type': ['CloudFormation Resource Status Change'],
          detail: {
            'stack-id': [{ Ref: 'AWS::StackId' }],
            'logical-resource-id': [alias],
            'status-details': { status: ['UPDATE_COMPLETE'] },
          },
        },
      });
    expect(Object.keys(resources(stack, 'AWS::SSM::Parameter', /^InboundSlot/)).length).toBe(7);
  });

  it('makes a spec with the connection, and client ids that every deployment of the task shares', () => {
    const declaration: Declaration = {
      source: {
        topics: ['a/+', 'b'],
        qos: 2,
        receiveMaximum: 50,
        sessionExpiry: Duration.hours(2),
        shareGroup: 'g',
        sessions: 2,
      },
      connector: () => ({ clientIdPrefix: 'p', protocolVersion: 5, keepalive: Duration.seconds(30) }),
    };
    expect(specOf(declare(declaration))).toEqual({
      type: 'mqtt-source',
      task: 'Inbound',
      server: 'mqtts://broker.plant:8883',
      name: 'Plant',
      protocolVersion: 5,
      clientIdPrefix: 'p',
      keepaliveSeconds: 30,
      connectTimeoutMs: 10_000,
      clientIdDigits: expect.stringMatching(/^[\da-f]{8}$/),
      filters: ['a/+', 'b'],
      qos: 2,
      shareGroup: 'g',
      sessions: 2,
      receiveMaximum: 50,
      sessionExpirySeconds: 7_200,
    });
    expect(specOf(declare(declaration))).toEqual(specOf(declare(declaration)));
  });

  it('moves a server that is only known at deployment to the environment', () => {
    const stack = declare({ connector: (scope) => ({ server: new CfnParameter(scope, 'Server').valueAsString }) });
    expect(specOf(stack)['server']).toEqual({ $env: expect.any(String) });
    const { $env } = specOf(stack)['server'] as { $env: string };
    expect(sessions(stack).Environment.Variables[$env]).toEqual({ Ref: 'Server' });
  });

  it('may write to its buffer and dead-letter queue, read its secrets, and keep its slots: nothing else', () => {
    const role = /^InboundSessionRole/;
    const basic = {
      'logs:CreateLogStream': ['InboundSessionLogs'],
      'logs:PutLogEvents': ['InboundSessionLogs'],
      'ssm:GetParameters': ['InboundSlot1', 'InboundIntake'],
      'ssm:PutParameter': ['InboundSlot1'],
    };
    expect(allowed(declare(), role)).toEqual({
      ...basic,
      'sqs:SendMessage': ['InboundQueue', 'InboundDeadLetterQueue'],
    });
    const withKeys = allowed(
      declare({
        task: (stack) => ({ encryptionKey: new Key(stack, 'GivenKey'), buffer: new StreamBuffer() }),
        connector: (stack) => ({ credentials: new Secret(stack, 'GivenSecret') }),
      }),
      role,
    );
    expect(withKeys).toMatchObject({
      ...basic,
      'kinesis:PutRecords': ['InboundStream'],
      'sqs:SendMessage': ['InboundDeadLetterQueue'],
      'secretsmanager:GetSecretValue': ['GivenSecret'],
      'kms:GenerateDataKey': expect.arrayContaining(['GivenKey']),
    });
    for (const [action, ids] of Object.entries(withKeys)) {
      expect(action).not.toMatch(/\*/);
      expect(ids).not.toContain('*');
    }
  });

  it('is stopped by the control function, which may write the parameter for that and no slot', () => {
    const stack = declare({ source: { sessions: 2, shareGroup: 'g' } });
    const control = resources(stack, 'AWS::SSM::Parameter', /^InboundControl/);
    expect(JSON.stringify(control)).toMatch(/\\"sources\\":\[\\"",\{"Ref":"InboundIntake\w+"\},"\\"\]/);
    const policies = JSON.stringify(resources(stack, 'AWS::IAM::Policy', /^OutflowControl/));
    expect(policies).toMatch(/InboundIntake/);
    expect(policies).not.toMatch(/InboundSlot/);
    expect(one(stack, 'AWS::SSM::Parameter', /^InboundIntake/)).toMatchObject({ Value: 'on' });
  });

  it('is listed in the metadata with its filters, and dead letters name its function', () => {
    const stack = declare({ source: { topics: ['a', 'b/#'] } });
    const [read] = readAssembly((stack.node.root as App).synth().directory);
    expect(read!.tasks[0]).toMatchObject({
      rules: [],
      functions: [{ function: expect.stringMatching(/^InboundSessions/), filters: ['a', 'b/#'] }],
    });
    const worker = one(stack, 'AWS::Lambda::Function', /^InboundWorker/);
    expect(JSON.stringify(worker.Environment.Variables.RULE_ARNS)).toMatch(/"InboundSessions\w+","Arn"/);
  });

  it('has network interfaces where the connector has a VPC, and its code may not change them', () => {
    const stack = declare({ connector: (scope) => ({ vpc: new Vpc(scope, 'Vpc') }) });
    expect(sessions(stack).VpcConfig.SecurityGroupIds).toEqual([
      { 'Fn::GetAtt': [expect.stringMatching(/^PlantWorkers/), 'GroupId'] },
    ]);
    const denied = resources(stack, 'AWS::IAM::Policy', /^InboundSessions.*NoInterfaces/);
    expect(JSON.stringify(denied)).toMatch(/"Effect":"Deny"/);
  });

  it.each<[RegExp, Declaration]>([
    [/Inbound\.source\.sessions: got 2; expected 1 without shareGroup/, { source: { sessions: 2 } }],
    [/Inbound\.source\.sessions: got 17; expected/, { source: { sessions: 17, shareGroup: 'g' } }],
    [
      /Inbound\.buffer: got no buffer; expected a QueueBuffer or a StreamBuffer/,
      {
        task: () =>
          ({
            buffer: new NoBuffer({ payload: 'reserialised' }),
            sink: new KinesisSink('s', { partitionKey: '${topic}', payload: '${payload}' }),
          }) as never,
      },
    ],
    [
      /Inbound\.source\.topics: got '\$share\/g\/a\/#'; expected 'a\/#', with shareGroup: 'g'/,
      { source: { topics: ['$share/g/a/#'] } },
    ],
    [/a\/#\/b/, { source: { topics: ['a/#/b'] } }],
    [/a\+/, { source: { topics: ['a+'] } }],
    [/Inbound\.source\.topics: got 'a'; expected each topic filter once/, { source: { topics: ['a', 'a'] } }],
    [
      /topic filters of \d+ bytes; expected at most 1750 bytes/,
      { source: { topics: Array.from({ length: 100 }, (_, i) => `a/topic/filter/${i}`) } },
    ],
    [/source\.shareGroup: got 'a\/b'; expected/, { source: { shareGroup: 'a/b' } }],
    [/source\.receiveMaximum: got 0/, { source: { receiveMaximum: 0 } }],
    [/source\.qos: got 3/, { source: { qos: 3 as never } }],
    [/source\.sessionExpiry/, { source: { sessionExpiry: Duration.seconds(59) } }],
    [/source\.topic: .*topics, a list/, { source: { topic: 'a' } as never }],
    [/source\.cleanStart: .*always keeps its session/, { source: { cleanStart: true } as never }],
  ])('refuses %s', (wanted, declaration) => {
    expect(() => declare(declaration)).toThrow(InvalidOptionError);
    expect(() => declare(declaration)).toThrow(wanted);
  });

  it('warns where brokers differ: shared subscriptions without MQTT 5, absent members, overlapping topics', () => {
    const warnings = {
      version: Match.stringLikeRegexp('shareGroup: .*MQTT 5; with protocolVersion 4'),
      absent: Match.stringLikeRegexp('shareGroup: .*mosquitto'),
      overlap: Match.stringLikeRegexp('topics: a/# and a/b overlap'),
    };
    const plain = Annotations.fromStack(declare({ source: { topics: ['a/+', 'b/#', '$SYS/#'] } }));
    for (const warning of Object.values(warnings)) plain.hasNoWarning('*', warning);
    const shared = Annotations.fromStack(
      declare({ source: { shareGroup: 'g' }, connector: () => ({ protocolVersion: 4 }) }),
    );
    shared.hasWarning('/Test/Inbound', warnings.version);
    shared.hasWarning('/Test/Inbound', warnings.absent);
    Annotations.fromStack(declare({ source: { topics: ['a/#', 'a/b'] } })).hasWarning(
      '/Test/Inbound',
      warnings.overlap,
    );
  });

  it('refuses a token that no deployment could resolve', () => {
    expect(() => declare({ source: { topics: [`a/${Aws.REGION}`] } })).toThrow(/Inbound\.source/);
  });
});

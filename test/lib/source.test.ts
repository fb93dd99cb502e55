import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { describe, expect, it } from 'vitest';
import { METADATA_KEY } from '../../lambdas/core/metadata.ts';
import { readRuleArns } from '../../lambdas/core/rule-arns.ts';
import {
  type IBuffer,
  type ISource,
  KinesisSink,
  NoBuffer,
  OutflowTask,
  RocketMqConnector,
  RocketMqHooks,
  StreamBuffer,
} from '../../lib/index.ts';
import { identityStatements } from '../security/declared.ts';

/** A source whose origin is a function, such as a subscriber of another broker. */
const SUBSCRIBER: ISource = {
  spec: { type: 'iot-core', filters: ['a/#', 'b'] },
  bind(scope, { option, inlet }) {
    if (inlet.forFunctions === undefined) throw new Error(`${option}: got no buffer`);
    const { environment, grantWrite } = inlet.forFunctions;
    const subscriber = new LambdaFunction(scope, 'Subscriber', {
      runtime: Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: Code.fromInline('export const handler = () => {}'),
      environment: { ...environment },
    });
    grantWrite(subscriber);
    const schedule = 'arn:aws:scheduler:us-east-1:000000000000:schedule/default/s';
    return [
      {
        topicFilters: ['a/#', 'b'],
        arn: subscriber.functionArn,
        function: subscriber,
        intake: { list: 'schedules', name: 's', arn: schedule, actions: ['scheduler:UpdateSchedule'] },
      },
    ];
  },
};

function declare(buffer?: IBuffer) {
  const stack = new Stack(new App(), 'Test');
  const sink = new KinesisSink('s', { partitionKey: '${clientid}', payload: '${payload}' });
  new OutflowTask(stack, 'T', { source: SUBSCRIBER, sink, ...(buffer && { buffer }) });
  return Template.fromStack(stack).toJSON();
}

// biome-ignore lint/suspicious/noExplicitAny: templates have no type
function variablesOf(template: any, id: string) {
  const found = Object.entries<typeof template>(template.Resources).find(
    ([name, { Type }]) => Type === 'AWS::Lambda::Function' && name.startsWith(id),
  );
  return found![1].Properties.Environment.Variables;
}

describe('a source whose function writes to the buffer', () => {
  it.each<[string, IBuffer | undefined, object, string]>([
    ['queue', undefined, { QUEUE_URL: { Ref: expect.stringMatching(/^TQueue/) } }, 'sqs:SendMessage'],
    ['stream', new StreamBuffer(), { STREAM_NAME: { Ref: expect.stringMatching(/^TStream/) } }, 'kinesis:PutRecords'],
  ])('gets the %s in its environment, and may write to it and to nothing else', (_, buffer, environment, action) => {
    const template = declare(buffer);
    expect(variablesOf(template, 'TSubscriber')).toEqual(environment);
    const allowed = identityStatements(template.Resources).filter(({ on }) => on.startsWith('TSubscriber'));
    expect(allowed.flatMap(({ Action }) => Action)).toEqual([action]);
  });

  it('needs no rule and no rule role; dead letters, metadata and the control configuration name the function', () => {
    const template = declare();
    const types = Object.values<{ Type: string }>(template.Resources).map(({ Type }) => Type);
    expect(types).not.toContain('AWS::IoT::TopicRule');
    expect(Object.keys(template.Resources).join()).not.toContain('RuleRole');
    const subscriber = expect.stringMatching(/^TSubscriber/);
    expect(variablesOf(template, 'TWorker').RULE_ARNS).toEqual({
      'Fn::Join': ['', [{ 'Fn::GetAtt': [subscriber, 'Arn'] }, ',']],
    });
    expect(template.Metadata[METADATA_KEY].tasks[0]).toMatchObject({
      filters: [],
      rules: [],
      functions: [{ function: subscriber, filters: ['a/#', 'b'] }],
    });
    const [, configuration] = Object.entries<{ Properties: unknown }>(template.Resources).find(([id]) =>
      id.startsWith('TControl'),
    )!;
    expect(JSON.stringify(configuration)).toContain(String.raw`\"rules\":[],\"schedules\":[\"s\"]`);
    const control = identityStatements(template.Resources).filter(({ on }) => on.startsWith('OutflowControl'));
    expect(control.flatMap(({ Action }) => Action)).toContain('scheduler:UpdateSchedule');
  });

  it('cannot write without a buffer', () => {
    expect(() => declare(new NoBuffer({ payload: 'reserialised' }))).toThrow('T.source: got no buffer');
  });
});

describe('RULE_ARNS', () => {
  it('has an ARN for each topic filter, in their order', () => {
    expect(readRuleArns('arn:aws:iot:r:a:rule/one,two,arn:aws:lambda:r:a:function:f,,')).toEqual([
      'arn:aws:iot:r:a:rule/one',
      'arn:aws:iot:r:a:rule/two',
      'arn:aws:lambda:r:a:function:f',
      'arn:aws:lambda:r:a:function:f',
      'arn:aws:lambda:r:a:function:f',
    ]);
  });

  it('names the function that reads the log of delivered messages (B16)', () => {
    const stack = new Stack(new App(), 'Test');
    new RocketMqHooks(stack, 'Hooks', {
      connector: new RocketMqConnector(stack, 'Mq', { nameServers: ['10.0.0.5:9876'] }),
      hooks: { 'client.connected': [{ topic: 'C' }], 'message.delivered': [{ filter: 'a', topic: 'D' }] },
      deliveredLog: LogGroup.fromLogGroupName(stack, 'IotLogs', '/aws/iot/publish-out'),
    });
    const template = Template.fromStack(stack).toJSON();
    const [, parts] = variablesOf(template, 'HooksWorker').RULE_ARNS['Fn::Join'];
    expect(parts.slice(-3)).toEqual([
      { Ref: expect.stringMatching(/^HooksRule/) },
      ',',
      { 'Fn::GetAtt': [expect.stringMatching(/^HooksDeliveredFunction/), 'Arn'] },
    ]);
  });
});

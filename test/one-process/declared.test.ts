import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Resource, Stack } from '../../localstack/one-process/assembly.ts';
import { type LocalKinesis, startKinesis } from '../../localstack/one-process/kinesis.ts';
import { startDeclaredQueueMapping, startDeclaredStreamMapping } from '../../localstack/one-process/mappings.ts';
import { declaredQueues } from '../../localstack/one-process/queues.ts';
import { resolver } from '../../localstack/one-process/resolve.ts';
import { declaredRules } from '../../localstack/one-process/rules.ts';

const ARN = 'arn:aws:sqs:us-east-1:000000000000:Tasks-Queue';
const URL = 'https://sqs.us-east-1.amazonaws.com/000000000000/Tasks-Queue';

type Properties = Readonly<Record<string, unknown>>;

const stackOf = (Type: string, Properties: Properties): Stack => {
  const resources: Record<string, Resource> = { Queue: { Type, Properties }, Key: { Type: 'AWS::KMS::Key' } };
  return { name: 'Tasks', template: { Resources: resources }, tasks: [], folder: '', notes: new Set() };
};

function queueOf(properties: Properties) {
  return declaredQueues([stackOf('AWS::SQS::Queue', properties)]).get(URL);
}

function ruleOf(payload: Properties) {
  return declaredRules([
    stackOf('AWS::IoT::TopicRule', { TopicRulePayload: { Sql: "SELECT * FROM 'a'", ...payload } }),
  ]);
}

let kinesis: LocalKinesis;
beforeAll(async () => {
  kinesis = await startKinesis();
});
afterAll(() => kinesis.close());

async function map(properties: Properties, service: 'sqs' | 'kinesis') {
  const stack = stackOf('AWS::SQS::Queue', {});
  const resource = { Type: 'AWS::Lambda::EventSourceMapping', Properties: properties };
  const mapping = {
    name: 'Tasks.Mapping',
    resource,
    resolve: resolver(stack, [stack]),
    functionName: 'Task',
    functionTimeoutSeconds: 3,
    handler: () => Promise.reject(new Error('no record was sent')),
    onInvocation() {},
  };
  const started =
    service === 'sqs'
      ? startDeclaredQueueMapping(mapping, declaredQueues([stack]))
      : startDeclaredStreamMapping(mapping, kinesis, () => {});
  await started.stop();
}

const QUEUE_MAPPING = {
  EventSourceArn: ARN,
  FunctionName: { Ref: 'OtherStack' },
  FunctionResponseTypes: ['ReportBatchItemFailures'],
};
const STREAM_MAPPING = {
  ...QUEUE_MAPPING,
  EventSourceArn: 'arn:aws:kinesis:us-east-1:000000000000:stream/none',
  StartingPosition: 'TRIM_HORIZON',
  MaximumRetryAttempts: -1,
  MaximumRecordAgeInSeconds: -1,
};

describe('a declared queue', () => {
  it('takes its options from the template; options without effect may refer to resources on AWS', () => {
    const queue = queueOf({
      VisibilityTimeout: 363,
      MessageRetentionPeriod: 3_600,
      KmsMasterKeyId: { 'Fn::GetAtt': ['Key', 'Arn'] },
      Tags: [{ Key: 'a', Value: 'b' }],
    });
    expect(queue).toMatchObject({ visibilityTimeoutSeconds: 363, retentionSeconds: 3_600, delaySeconds: 0 });
  });

  it('refuses an option that is not emulated, when the queue is used', () => {
    const queues = declaredQueues([stackOf('AWS::SQS::Queue', { MaximumMessageSize: 1_024 })]);
    expect(() => queues.get(URL)).toThrow(/^Tasks\.Queue\.MaximumMessageSize: got 1024; expected none/);
    expect(() => queueOf({ VisibilityTimeout: 'soon' })).toThrow(/^Tasks\.Queue .*VisibilityTimeout: got 'soon'/);
  });
});

describe('a declared mapping', () => {
  it('starts with what OutflowTask declares', async () => {
    await map({ ...QUEUE_MAPPING, BatchSize: 100, MaximumBatchingWindowInSeconds: 1, Enabled: false }, 'sqs');
    await map({ ...QUEUE_MAPPING, ScalingConfig: { MaximumConcurrency: 2 } }, 'sqs');
    await map({ ...STREAM_MAPPING, BatchSize: 100, BisectBatchOnFunctionError: true }, 'kinesis');
  });

  it.each<['sqs' | 'kinesis', Properties, string]>([
    ['sqs', { ...QUEUE_MAPPING, FilterCriteria: { Filters: [] } }, 'FilterCriteria: got {"Filters":[]}; expected none'],
    ['sqs', { ...QUEUE_MAPPING, FunctionResponseTypes: undefined }, 'FunctionResponseTypes: got undefined'],
    ['sqs', { ...QUEUE_MAPPING, ScalingConfig: { Other: 1 } }, 'ScalingConfig.Other'],
    ['kinesis', { ...STREAM_MAPPING, StartingPosition: 'LATEST' }, "StartingPosition: got 'LATEST'"],
    ['kinesis', { ...STREAM_MAPPING, MaximumRetryAttempts: 3 }, 'MaximumRetryAttempts: got 3; expected -1'],
    ['kinesis', { ...STREAM_MAPPING, MaximumRecordAgeInSeconds: 60 }, 'MaximumRecordAgeInSeconds: got 60; expected -1'],
    ['kinesis', { ...STREAM_MAPPING, ParallelizationFactor: 2 }, 'ParallelizationFactor: got 2; expected none'],
    ['kinesis', { ...STREAM_MAPPING, TumblingWindowInSeconds: 5 }, 'TumblingWindowInSeconds: got 5; expected none'],
  ])('from %s with %j is refused', async (service, properties, message) => {
    await expect(map(properties, service)).rejects.toThrow(message);
  });
});

describe('a declared topic rule', () => {
  const Sqs = { QueueUrl: 'q', RoleArn: 'r', UseBase64: false };

  it('runs with its SQL and actions', () => {
    expect(ruleOf({ AwsIotSqlVersion: '2016-03-23', Actions: [{ Sqs }], Description: 'd' })).toEqual([
      {
        name: 'Tasks_Queue',
        sql: "SELECT * FROM 'a'",
        actions: [{ type: 'sqs', queueUrl: 'q', useBase64: false }],
      },
    ]);
  });

  it.each<[Properties, string]>([
    [{ Actions: [{ Lambda: { FunctionArn: 'f' } }] }, 'Lambda'],
    [{ Actions: [{ Sqs: { ...Sqs, Unknown: 1 } }] }, 'Actions.0.Sqs.Unknown'],
    [{ Actions: [], AwsIotSqlVersion: 'beta' }, "AwsIotSqlVersion: got 'beta'"],
  ])('%j is refused', (payload, message) => {
    expect(() => ruleOf(payload)).toThrow(message);
  });
});

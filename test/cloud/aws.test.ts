import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { awsCloud, type Clients } from '../../bin/cloud/aws.ts';
import { METADATA_KEY, METADATA_VERSION, type TaskMetadata } from '../../lambdas/core/metadata.ts';

const IMPORTED: TaskMetadata = {
  task: 'Warm',
  path: 'Plant/Warm',
  sink: 'kinesis',
  filters: ['t'],
  specHash: '',
  rules: [],
  worker: 'WarmWorker',
  mappings: ['WarmMapping'],
  logLevel: 'warn',
};

const ANSWERS: Readonly<Record<string, object>> = {
  GetTemplate: {
    TemplateBody: JSON.stringify({ Metadata: { [METADATA_KEY]: { v: METADATA_VERSION, tasks: [IMPORTED] } } }),
  },
  ListStackResources: {
    StackResourceSummaries: [
      ...['WarmWorker', 'WarmMapping'].map((id) => ({ LogicalResourceId: id, PhysicalResourceId: `the-${id}` })),
      // CloudFormation lists what it has kept after an update.
      {
        LogicalResourceId: 'OldQueue1A',
        PhysicalResourceId: 'https://sqs.us-east-1.amazonaws.com/111111111111/Plant-OldQueue1A-Xy1',
        ResourceStatus: 'DELETE_SKIPPED',
      },
    ],
  },
  GetFunctionConfiguration: { Environment: { Variables: { DEAD_LETTER_QUEUE_URL: 'https://sqs/dead-letters' } } },
  GetEventSourceMapping: { EventSourceArn: 'arn:aws:kinesis:us-east-1:111111111111:stream/other' },
  GetQueueAttributes: { Attributes: { ApproximateNumberOfMessages: '4', ApproximateNumberOfMessagesNotVisible: '3' } },
  PutRecords: { Records: [{ ErrorCode: 'throttled' }] },
};

describe('a task whose queue and stream are in another stack', () => {
  const sent: [string, Record<string, unknown>][] = [];
  const answering = {
    async send(command: { input: Record<string, unknown> }) {
      const name = command.constructor.name.replace('Command', '');
      sent.push([name, command.input]);
      return ANSWERS[name];
    },
  };
  const cloudFormation = Object.assign(new CloudFormationClient({ region: 'us-east-1' }), answering);
  const clients = { cloudFormation, lambda: answering, sqs: answering, kinesis: answering } as unknown as Clients;
  const warm = async () => (await awsCloud({ stackNames: ['Plant'], onNote() {} }, clients).tasks())[0]!;

  it('redrives to the stream that its mapping reads', async () => {
    const queue = await (await warm()).deadLetterQueue();
    const deadLetter = { messageId: 'm', receiptHandle: 'r', body: '{}', attributes: {}, sentAt: 0 };
    expect(await queue.redrive([deadLetter])).toEqual([false]);
    expect(sent).toContainEqual(['GetEventSourceMapping', { UUID: 'the-WarmMapping' }]);
    expect(sent).toContainEqual(['PutRecords', expect.objectContaining({ StreamName: 'other' })]);
  });

  it('lists the queues that its stack kept and no longer has, and refuses to drain one in use', async () => {
    const url = (name: string) => `https://sqs.us-east-1.amazonaws.com/1/${name}`;
    const kept = [
      'Plant-OldQueue1A-Xy1',
      'Plant-OldRetryQueue1A-Xy2',
      'Plant-2-Queue-Xy3',
      'Plant-Other-Xy4',
      'the-WarmWorker',
    ];
    const answer = async (command: { input: Record<string, unknown> }) => {
      const name = command.constructor.name.replace('Command', '');
      if (name === 'ListQueues') return { QueueUrls: kept.map(url) };
      if (name === 'ListQueueTags')
        return { Tags: `${command.input['QueueUrl']}`.includes('Old') ? { 'outflow:task': 'Old' } : {} };
      return ANSWERS[name];
    };
    const sqs = Object.assign(new SQSClient({ region: 'us-east-1' }), { send: answer });
    const cloud = awsCloud({ stackNames: ['Plant'], onNote() {} }, { ...clients, sqs } as unknown as Clients);
    expect(await cloud.retainedQueues()).toEqual([
      { queueUrl: url('Plant-OldQueue1A-Xy1'), stack: 'Plant', task: 'Old', messages: 7 },
      { queueUrl: url('Plant-OldRetryQueue1A-Xy2'), stack: 'Plant', task: 'Old', messages: 7 },
    ]);
    const [task] = await cloud.tasks();
    await expect(task!.retainedQueue(url('the-WarmWorker'))).rejects.toThrow('which a stack uses; expected a retained');
  });

  it('has the metrics of that stream, and none of the worker if its log level leaves them out', async () => {
    const queried: unknown[] = [];
    const cloudWatch = {
      async send({ input }: { input: { MetricDataQueries: { MetricStat: { Metric: object } }[] } }) {
        queried.push(...input.MetricDataQueries.map(({ MetricStat }) => MetricStat.Metric));
        return { MetricDataResults: [{ Id: 'm0', Timestamps: [new Date()], Values: [7] }] };
      },
      destroy() {},
    };
    const cloud = awsCloud({ stackNames: ['Plant'], onNote() {} }, { ...clients, cloudWatch } as unknown as Clients);
    const [metrics] = await cloud.readMetrics!(await cloud.tasks());
    expect(metrics!.counts).toMatchObject({ incoming: 7, outgoing: undefined });
    expect(queried).toEqual([
      {
        Namespace: 'AWS/Kinesis',
        MetricName: 'IncomingRecords',
        Dimensions: [{ Name: 'StreamName', Value: 'other' }],
      },
      {
        Namespace: 'AWS/Lambda',
        MetricName: 'IteratorAge',
        Dimensions: [{ Name: 'FunctionName', Value: 'the-WarmWorker' }],
      },
    ]);
  });

  it('counts the dead letters of the queue that its worker names', async () => {
    expect(await (await warm()).countDeadLetters()).toBe(7);
    expect(sent).toContainEqual([
      'GetQueueAttributes',
      expect.objectContaining({ QueueUrl: 'https://sqs/dead-letters' }),
    ]);
  });
});

describe('a deployed task for RocketMQ', () => {
  const invoked: object[] = [];
  let answer: { Payload: { transformToString(): string }; FunctionError?: string };
  const payload = (of: object) => ({ transformToString: () => JSON.stringify(of) });
  const rocket = { ...IMPORTED, sink: 'rocketmq' };
  const answering = {
    async send(command: { input: { Payload?: string; Qualifier?: string } }) {
      const name = command.constructor.name.replace('Command', '');
      if (name === 'GetTemplate')
        return {
          TemplateBody: JSON.stringify({ Metadata: { [METADATA_KEY]: { v: METADATA_VERSION, tasks: [rocket] } } }),
        };
      if (name !== 'Invoke') return ANSWERS[name];
      invoked.push({ ...command.input, Payload: JSON.parse(command.input.Payload!) });
      return answer;
    },
  };
  const notes: string[] = [];
  const read = async (target?: string) => {
    const cloudFormation = Object.assign(new CloudFormationClient({ region: 'us-east-1' }), answering);
    const clients = { cloudFormation, lambda: answering } as unknown as Clients;
    const [task] = await awsCloud({ stackNames: ['Plant'], onNote: (note) => notes.push(note) }, clients).tasks();
    return task!.arrived({ since: 1, limit: 2, consumerGroup: 'outflow-read' }, target);
  };

  it('is read by its worker, which has the network and the credentials', async () => {
    const record = { target: 'Orders', key: 'k', time: 3, position: 'b:0:1', body: '' };
    answer = { Payload: payload({ ok: true, records: [record], isCut: true }) };
    expect(await read('Orders')).toEqual([record]);
    expect(invoked).toEqual([
      {
        FunctionName: 'the-WarmWorker',
        Qualifier: 'live',
        Payload: { outflow: 'read', target: 'Orders', since: 1, limit: 2, consumerGroup: 'outflow-read' },
      },
    ]);
    expect(notes).toEqual([expect.stringMatching(/^Warm: only the first 1 records fit into the answer/)]);
  });

  it('reports why its worker could not read', async () => {
    answer = { Payload: payload({ ok: false, detail: 'topic Orders does not exist' }) };
    await expect(read()).rejects.toThrow('Warm: topic Orders does not exist');
    answer = { Payload: payload({ errorMessage: 'Unsupported event' }), FunctionError: 'Unhandled' };
    await expect(read()).rejects.toThrow(/Unsupported event.*deploy the stack again/);
  });
});

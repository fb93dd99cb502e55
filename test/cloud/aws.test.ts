import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { describe, expect, it } from 'vitest';
import { awsCloud, type Clients } from '../../bin/cloud/aws.ts';
import { METADATA_KEY, METADATA_VERSION, type TaskMetadata } from '../../lambdas/core/metadata.ts';

const BROUGHT: TaskMetadata = {
  task: 'Warm',
  path: 'Plant/Warm',
  sink: 'kinesis',
  filters: ['t'],
  specHash: '',
  rules: [],
  worker: 'WarmWorker',
  mappings: ['WarmMapping'],
};

const ANSWERS: Readonly<Record<string, object>> = {
  GetTemplate: {
    TemplateBody: JSON.stringify({ Metadata: { [METADATA_KEY]: { v: METADATA_VERSION, tasks: [BROUGHT] } } }),
  },
  ListStackResources: {
    StackResourceSummaries: ['WarmWorker', 'WarmMapping'].map((id) => ({
      LogicalResourceId: id,
      PhysicalResourceId: `the-${id}`,
    })),
  },
  GetFunctionConfiguration: { Environment: { Variables: { DEAD_LETTER_QUEUE_URL: 'https://sqs/letters' } } },
  GetEventSourceMapping: { EventSourceArn: 'arn:aws:kinesis:us-east-1:111111111111:stream/theirs' },
  GetQueueAttributes: { Attributes: { ApproximateNumberOfMessages: '4', ApproximateNumberOfMessagesNotVisible: '3' } },
  PutRecords: { Records: [{ ErrorCode: 'throttled' }] },
};

describe('a task in a stack, of which queue and stream are another’s', () => {
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

  it('has its letters go back into the stream that its mapping reads', async () => {
    const letters = await (await warm()).letters();
    const letter = { messageId: 'm', receiptHandle: 'r', body: '{}', attributes: {}, sentAt: 0 };
    expect(await letters.putBack([letter])).toEqual([false]);
    expect(sent).toContainEqual(['GetEventSourceMapping', { UUID: 'the-WarmMapping' }]);
    expect(sent).toContainEqual(['PutRecords', expect.objectContaining({ StreamName: 'theirs' })]);
  });

  it('has its letters counted in the queue that its worker knows', async () => {
    expect(await (await warm()).countLetters()).toBe(7);
    expect(sent).toContainEqual(['GetQueueAttributes', expect.objectContaining({ QueueUrl: 'https://sqs/letters' })]);
  });
});

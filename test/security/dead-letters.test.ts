import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { type IQueue, Queue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it } from 'vitest';
import { IotTopicSource, KinesisSink, OutflowTask, QueueBuffer } from '../../lib/index.ts';

function declare(retentionPeriod: Duration, deadLetterQueue: (stack: Stack) => IQueue | undefined = () => undefined) {
  const stack = new Stack(new App(), 'Test');
  const queue = deadLetterQueue(stack);
  new OutflowTask(stack, 'T', {
    source: new IotTopicSource('a'),
    sink: new KinesisSink('s', { partitionKey: 'k' }),
    buffer: new QueueBuffer({ retentionPeriod }),
    ...(queue !== undefined && { deadLetterQueue: queue }),
  });
  return stack;
}

const kept = (days: number) => (stack: Stack) => new Queue(stack, 'Mine', { retentionPeriod: Duration.days(days) });
const imported = (name: string) => (stack: Stack) =>
  Queue.fromQueueArn(stack, 'Imported', `arn:aws:sqs:us-east-1:000000000000:${name}`);

describe("dead-letter queues have a longer retention than the task's queues", () => {
  it.each([
    [
      'as long as that of the dead-letter queue',
      Duration.days(14),
      /T\.buffer\.retentionPeriod: got 14 days; expected .*less than the 14 days/,
    ],
    ['longer than the maximum of SQS', Duration.days(15), /T\.buffer\.retentionPeriod: got 15 days; expected/],
    [
      'shorter than the minimum of SQS',
      Duration.seconds(59),
      /T\.buffer\.retentionPeriod: got 59 seconds; expected at least 1 minute/,
    ],
  ])('S18 a retention %s is refused', (_, retention, error) => {
    expect(() => declare(retention)).toThrow(error);
  });

  it('S18 a retention that is one second shorter is accepted', () => {
    expect(() => declare(Duration.seconds(14 * 86_400 - 1))).not.toThrow();
    expect(() => declare(Duration.seconds(60))).not.toThrow();
  });

  it.each<[string, (stack: Stack) => IQueue, string[]]>([
    ['longer', kept(5), []],
    ['equal', kept(4), ['it keeps messages for 4 days; expected more than the 4 days']],
    ['the default of SQS', (stack) => new Queue(stack, 'Mine'), ['it keeps messages for 4 days; expected']],
    ['unknown', imported('other'), ['its retention is unknown at synth; expected more than the 4 days']],
  ])(
    "S18 synth warns of a user's dead-letter queue unless its retention is longer than the task's: %s",
    (_, queue, warnings) => {
      // Read from the construct: a synthesis would take seconds.
      const { metadata } = declare(Duration.days(4), queue).node.findChild('T').node;
      const texts = metadata.filter(({ type }) => type === 'aws:cdk:warning').map(({ data }) => String(data));
      expect(texts).toEqual(warnings.map((warning) => expect.stringContaining(warning)));
    },
  );

  it.each<[Duration, number]>([
    [Duration.minutes(1), 4 * 86_400],
    [Duration.days(5), 5 * 86_400],
  ])(
    'the retry queue keeps messages for at least 4 days, also with a shorter retention of the queue: %s',
    (retention, seconds) => {
      const queues = Template.fromStack(declare(retention)).findResources('AWS::SQS::Queue');
      const kept = Object.entries(queues).map(([id, { Properties }]) => [
        id.replace(/[0-9A-F]{8}$/, ''),
        Properties.MessageRetentionPeriod,
      ]);
      expect(Object.fromEntries(kept)).toMatchObject({
        TQueue: retention.toSeconds(),
        TRetryQueue: seconds,
        TDeadLetterQueue: 14 * 86_400,
      });
    },
  );

  it('S18 a FIFO queue is refused', () => {
    for (const queue of [(stack: Stack) => new Queue(stack, 'Mine', { fifo: true }), imported('other.fifo')])
      expect(() => declare(Duration.days(4), queue)).toThrow(
        /T\.deadLetterQueue: got a FIFO queue; expected a standard queue/,
      );
  });
});

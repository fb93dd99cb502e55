import { App, Stack } from 'aws-cdk-lib';
import { type IStream, Stream } from 'aws-cdk-lib/aws-kinesis';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it } from 'vitest';
import { IotTopicSource, KinesisSink, OutflowTask, type OutflowTaskProps, StreamBuffer } from '../../lib/index.ts';

const HERE = { account: '111111111111', region: 'us-east-1' };
const arn = (service: string, { account, region }: typeof HERE, name: string) =>
  `arn:aws:${service}:${region}:${account}:${name}`;

function declare(place: typeof HERE, props: (of: { stream: IStream; stack: Stack }) => object, env?: typeof HERE) {
  const stack = new Stack(new App(), 'Test', env && { env });
  const stream = Stream.fromStreamArn(stack, 'Imported', arn('kinesis', place, 'stream/imported'));
  new OutflowTask(stack, 'T', {
    source: new IotTopicSource('t'),
    sink: new KinesisSink('s', { partitionKey: 'k' }),
    ...(props({ stream, stack }) as Partial<OutflowTaskProps>),
  });
}

const THERE = { account: '222222222222', region: 'eu-west-1' };
const OPTIONS: [string, Parameters<typeof declare>[1]][] = [
  ['sink.stream', ({ stream }) => ({ sink: new KinesisSink(stream, { partitionKey: 'k' }) })],
  [
    'sink.streams.0',
    ({ stream }) => ({ sink: new KinesisSink('${payload.x}', { partitionKey: 'k', streams: [stream] }) }),
  ],
  ['route.routes.1.sink.stream', ({ stream }) => ({ route: { routes: [{ sink: {} }, { sink: { stream } }] } })],
  ['buffer.stream', ({ stream }) => ({ buffer: new StreamBuffer({ stream }) })],
];

describe('a resource of another account or region is refused, and the error names the option', () => {
  it.each(OPTIONS)('%s', (option, props) => {
    const message = `T.${option}: got a stream of 222222222222 in eu-west-1; expected one of the stack's account and region, 111111111111 in us-east-1`;
    expect(() => declare(THERE, props, HERE)).toThrow(message);
    expect(() => declare({ ...HERE, region: 'eu-west-1' }, props, HERE)).toThrow(`T.${option}: got`);
    expect(() => declare(HERE, props, HERE)).not.toThrow();
    // The account and region of an environment-agnostic stack are only known at deployment.
    expect(() => declare(THERE, props)).not.toThrow();
  });

  it('deadLetterQueue', () => {
    const queueOf = (place: typeof HERE) =>
      declare(
        place,
        ({ stack }) => ({ deadLetterQueue: Queue.fromQueueArn(stack, 'Q', arn('sqs', place, 'q')) }),
        HERE,
      );
    expect(() => queueOf(THERE)).toThrow(/T\.deadLetterQueue: got a queue of 222222222222 in eu-west-1; expected/);
    expect(() => queueOf(HERE)).not.toThrow();
  });
});

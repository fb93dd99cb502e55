import { Duration, Token, Validations } from 'aws-cdk-lib';
import { Grant } from 'aws-cdk-lib/aws-iam';
import { type IStream, Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import { type CfnEventSourceMapping, EventSourceMapping, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import { isClientEvent } from '../../lambdas/core/event-type.ts';
import { ANY, checkProps, DURATION, NUMBER, type OptionTypes, oneOf, STREAM } from '../props.ts';
import { selectEnvelope } from '../source/rule-sql.ts';
import { checkEnvironment } from '../stack-environment.ts';
import { useStream } from '../stream-use.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import type { BufferBinding, BufferConfig, IBuffer } from './buffer.ts';
import { streamInlet } from './inlet.ts';

export interface StreamBufferProps {
  /**
   * A stream of the stack's account and region. Only this task may read it, and only this task's source may write to it.
   *
   * @default - an on-demand stream of the task
   */
  readonly stream?: IStream;
  /**
   * Retention of the task's stream, 1 to 365 days.
   *
   * @default Duration.days(7)
   */
  readonly retentionPeriod?: Duration;
  /**
   * Capacity mode of the task's stream. An on-demand stream takes 4 MB and 4,000 records a second at first, about 2,300 messages of
   * 1 KiB, and grows with the traffic; a shard of a provisioned one takes 1 MB and 1,000 records a second, about 570 of these messages
   * (Amazon Kinesis Data Streams, "Choose the right mode").
   *
   * @default StreamMode.ON_DEMAND, with shardCount StreamMode.PROVISIONED
   */
  readonly streamMode?: StreamMode;
  /**
   * Number of shards of a provisioned stream, at least 1. A worker delivers one batch per shard at a time.
   *
   * @default 1
   */
  readonly shardCount?: number;
  /**
   * `relaxed` delivers batches one after another; within a batch, a record that needs a second attempt may arrive after later ones.
   * `strict` delivers the next record of a partition key only after the one before it, which is slow for a key with many records.
   *
   * @default 'relaxed'
   */
  readonly order?: 'relaxed' | 'strict';
}

const OPTIONS: OptionTypes<StreamBufferProps> = {
  stream: STREAM,
  retentionPeriod: DURATION,
  streamMode: oneOf(StreamMode.ON_DEMAND, StreamMode.PROVISIONED),
  shardCount: NUMBER,
  order: ANY,
};

/** One client's messages share a shard. Messages published over HTTPS have no client id and are spread over all shards. */
const PARTITION_KEY = "${CASE clientid() WHEN 'n/a' THEN newuuid() ELSE clientid() END}";
// AWS IoT Core publishes client events itself, so `clientid()` is not the client's; the event's payload names the client.
const PARTITION_KEY_OF_CLIENT_EVENT = '${clientId}';

function partitionKeyOf(eventType: string): string {
  return isClientEvent(eventType) ? PARTITION_KEY_OF_CLIENT_EVENT : PARTITION_KEY;
}

/**
 * A Kinesis stream. It keeps each client's messages in the order in which the rules engine received them, and has a price per hour. A
 * record that cannot be delivered delays its shard: AWS Lambda decides when to retry it, and the retry policy when to give up.
 */
export class StreamBuffer implements IBuffer {
  readonly spec: object;
  readonly messagesByDefault = 100;
  readonly needsWindow = false;
  readonly shardCount: number | undefined;
  readonly #props: StreamBufferProps;

  constructor(props: StreamBufferProps = {}) {
    this.#props = props;
    this.shardCount = props.shardCount;
    this.spec = { type: 'stream', ...(props.order !== undefined && { order: props.order }) };
  }

  bind(scope: Construct, binding: BufferBinding): BufferConfig {
    const { option, deadLetterQueue, batch, maxConcurrency, enabled } = binding;
    checkProps(`${option}.buffer`, this.#props, OPTIONS, TASK_ADVICE);
    if (maxConcurrency !== undefined)
      throw new InvalidOptionError(
        `${option}.maxConcurrency`,
        maxConcurrency,
        'nothing with StreamBuffer, which delivers one batch per shard at a time',
      );
    Validations.of(deadLetterQueue).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SQS3',
      reason: 'It is a dead-letter queue: the worker and the rules send to it, and no queue refers to it.',
    });
    const stream = this.#givenStream(scope, option) ?? this.#ownStream(scope, binding);
    useStream(scope, 'buffer', `${option}.buffer.stream`, stream);
    return {
      inlet: streamInlet(stream, selectEnvelope, partitionKeyOf),
      stream,
      feed: (worker) => {
        Grant.addToPrincipal({ grantee: worker, actions: READ, resourceArns: [stream.streamArn] });
        stream.encryptionKey?.grant(worker, 'kms:Decrypt');
        const mapping = new EventSourceMapping(scope, 'Mapping', {
          target: worker,
          eventSourceArn: stream.streamArn,
          startingPosition: StartingPosition.TRIM_HORIZON,
          batchSize: batch.messages,
          maxBatchingWindow: batch.interval,
          reportBatchItemFailures: true,
          bisectBatchOnError: true,
          ...(!enabled && { enabled }),
        });
        // AWS Lambda never discards a record: the worker decides that, and writes the dead letter.
        const resource = mapping.node.defaultChild as CfnEventSourceMapping;
        resource.maximumRetryAttempts = -1;
        resource.maximumRecordAgeInSeconds = -1;
        return [mapping];
      },
    };
  }

  #givenStream(scope: Construct, option: string): IStream | undefined {
    const { stream, retentionPeriod, streamMode, shardCount } = this.#props;
    if (stream === undefined) return undefined;
    for (const [name, given] of Object.entries({ streamMode, shardCount }))
      if (given !== undefined)
        throw new InvalidOptionError(
          `${option}.buffer.${name}`,
          given,
          'none with stream: the stream has its own shards',
        );
    checkEnvironment(scope, `${option}.buffer.stream`, 'a stream', stream);
    if (retentionPeriod !== undefined)
      throw new InvalidOptionError(
        `${option}.buffer.retentionPeriod`,
        described(retentionPeriod.toHumanString()),
        'none with stream: the stream has its own retention',
      );
    return stream;
  }

  #ownStream(scope: Construct, { option, encryptionKey, removalPolicy }: BufferBinding): Stream {
    const { retentionPeriod = Duration.days(7), shardCount } = this.#props;
    const { streamMode = shardCount === undefined ? StreamMode.ON_DEMAND : StreamMode.PROVISIONED } = this.#props;
    if (
      shardCount !== undefined &&
      (streamMode === StreamMode.ON_DEMAND || !(Token.isUnresolved(shardCount) || shardCount >= 1))
    )
      throw new InvalidOptionError(
        `${option}.buffer.shardCount`,
        shardCount,
        streamMode === StreamMode.ON_DEMAND
          ? 'none with StreamMode.ON_DEMAND, which adds shards by itself'
          : 'at least 1',
      );
    const hours = Token.isUnresolved(retentionPeriod) ? 168 : retentionPeriod.toHours({ integral: false });
    if (!(hours >= 24 && hours <= 8760))
      throw new InvalidOptionError(
        `${option}.buffer.retentionPeriod`,
        described(retentionPeriod.toHumanString()),
        '1 to 365 days',
      );
    const stream = new Stream(scope, 'Stream', {
      streamMode,
      ...(shardCount !== undefined && { shardCount }),
      retentionPeriod,
      ...(encryptionKey === undefined
        ? { encryption: StreamEncryption.MANAGED }
        : { encryption: StreamEncryption.KMS, encryptionKey }),
      removalPolicy,
    });
    if (encryptionKey !== undefined)
      Validations.of(stream).acknowledge({
        id: 'AwsSolutions::AwsSolutions-KDS3',
        reason: 'The user chose the key.',
      });
    return stream;
  }
}

const READ = [
  'kinesis:DescribeStream',
  'kinesis:DescribeStreamSummary',
  'kinesis:GetRecords',
  'kinesis:GetShardIterator',
  'kinesis:ListShards',
];

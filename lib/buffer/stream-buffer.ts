import { Duration, RemovalPolicy, Token, Validations } from 'aws-cdk-lib';
import { Grant } from 'aws-cdk-lib/aws-iam';
import { type IStream, Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import { type CfnEventSourceMapping, EventSourceMapping, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import { isClientEvent } from '../../lambdas/core/event-type.ts';
import { refuseElsewhere } from '../elsewhere.ts';
import { selectEnvelope } from '../source/rule-sql.ts';
import type { BufferBinding, BufferConfig, IBuffer } from './buffer.ts';
import { streamInlet } from './inlet.ts';

export interface StreamBufferProps {
  /**
   * A stream of your own, in the stack's account and region. It is read by this task alone, and holds nothing but what the task's rules put there.
   *
   * @default - an on-demand stream of the task's own
   */
  readonly stream?: IStream;
  /**
   * How long the task's own stream keeps a message that is not delivered, 1 to 365 days.
   *
   * @default Duration.days(7)
   */
  readonly retentionPeriod?: Duration;
  /**
   * `relaxed` sends batches one after the other; within a batch, what the sink takes on a second try comes later. `strict`
   * sends a key's next record only once the one before is delivered, which is slow for a key with many records (row E5).
   *
   * @default 'relaxed'
   */
  readonly order?: 'relaxed' | 'strict';
}

/** One client's messages share a shard. Messages published over HTTPS have no client id and are spread over all shards. */
const PARTITION_KEY = "${CASE clientid() WHEN 'n/a' THEN newuuid() ELSE clientid() END}";
// AWS IoT Core publishes client events itself, so `clientid()` is not the client's; the event's payload names the client.
const PARTITION_KEY_OF_CLIENT_EVENT = '${clientId}';

function partitionKeyOf(eventType: string): string {
  return isClientEvent(eventType) ? PARTITION_KEY_OF_CLIENT_EVENT : PARTITION_KEY;
}

/**
 * A Kinesis stream: each client's messages in the order in which the rules engine took them, at a price by the hour. A record
 * that cannot be delivered yet holds up its shard; AWS Lambda decides when it is tried again, and the retry policy when it is
 * given up.
 */
export class StreamBuffer implements IBuffer {
  readonly spec: object;
  readonly messagesByDefault = 100;
  readonly #props: StreamBufferProps;

  constructor(props: StreamBufferProps = {}) {
    this.#props = props;
    this.spec = { type: 'stream', ...(props.order !== undefined && { order: props.order }) };
  }

  bind(scope: Construct, binding: BufferBinding): BufferConfig {
    const { option, deadLetterQueue, batch, maxConcurrency, enabled } = binding;
    if (maxConcurrency !== undefined)
      throw new InvalidOptionError(
        `${option}.maxConcurrency`,
        maxConcurrency,
        'nothing with StreamBuffer: there is one batch at a time for each shard',
      );
    Validations.of(deadLetterQueue).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SQS3',
      reason: 'It is a dead-letter queue, of a stream: the worker and the rules fill it, and no queue names it.',
    });
    const stream = this.#givenStream(scope, option) ?? this.#ownStream(scope, binding);
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
        // The worker gives up what is to be given up, and writes the dead letter; Lambda never does.
        const resource = mapping.node.defaultChild as CfnEventSourceMapping;
        resource.maximumRetryAttempts = -1;
        resource.maximumRecordAgeInSeconds = -1;
        return [mapping];
      },
    };
  }

  #givenStream(scope: Construct, option: string): IStream | undefined {
    const { stream, retentionPeriod } = this.#props;
    if (stream === undefined) return undefined;
    refuseElsewhere(scope, `${option}.buffer.stream`, 'a stream', stream);
    if (retentionPeriod !== undefined)
      throw new InvalidOptionError(
        `${option}.buffer.retentionPeriod`,
        described(retentionPeriod.toHumanString()),
        'none beside stream: how long it keeps messages is said where it is declared',
      );
    return stream;
  }

  #ownStream(scope: Construct, { option, encryptionKey, removalPolicy }: BufferBinding): Stream {
    const { retentionPeriod = Duration.days(7) } = this.#props;
    const hours = Token.isUnresolved(retentionPeriod) ? 168 : retentionPeriod.toHours({ integral: false });
    if (!(hours >= 24 && hours <= 8760))
      throw new InvalidOptionError(
        `${option}.buffer.retentionPeriod`,
        described(retentionPeriod.toHumanString()),
        '1 to 365 days',
      );
    const stream = new Stream(scope, 'Stream', {
      streamMode: StreamMode.ON_DEMAND,
      retentionPeriod,
      ...(encryptionKey === undefined
        ? { encryption: StreamEncryption.MANAGED }
        : { encryption: StreamEncryption.KMS, encryptionKey }),
      removalPolicy: removalPolicy ?? RemovalPolicy.RETAIN,
    });
    if (encryptionKey !== undefined)
      Validations.of(stream).acknowledge({
        id: 'AwsSolutions::AwsSolutions-KDS3',
        reason: 'The task was given a key of its own.',
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

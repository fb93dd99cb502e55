import {
  GetRecordsCommand,
  type GetRecordsCommandOutput,
  GetShardIteratorCommand,
  type KinesisClient,
  type _Record as ReadRecord,
  type ShardIteratorType,
} from '@aws-sdk/client-kinesis';

export interface ReadResult {
  readonly records: readonly ReadRecord[];
  /** There may be more to read at once. */
  readonly isMore: boolean;
  /** Nothing was there to be read. */
  readonly isAtTip: boolean;
  /** The shard is closed, and this was all. */
  readonly isEnd: boolean;
}

/** Reads one shard from its beginning to its end, each record once. */
export interface ShardReader {
  read(limit: number): Promise<ReadResult>;
  /** Tells that nothing more is written to the shard. */
  close(): void;
}

export interface ShardReaderOptions {
  readonly client: KinesisClient;
  readonly streamName: string;
  readonly shardId: string;
}

/** The iterator will not do any more. */
const STALE = new Set(['ExpiredIteratorException', 'InvalidArgumentException']);

const NOT_READ: ReadResult = { records: [], isMore: true, isAtTip: false, isEnd: false };

/** @throws what the API answers, except that an iterator has expired: then the next read takes a new one */
export function createShardReader({ client, streamName, shardId }: ShardReaderOptions): ShardReader {
  let iterator: string | undefined;
  let lastSequenceNumber: string | undefined;
  let isClosed = false;

  async function iteratorOf(type: ShardIteratorType, sequenceNumber?: string): Promise<string> {
    const answer = await client.send(
      new GetShardIteratorCommand({
        StreamName: streamName,
        ShardId: shardId,
        ShardIteratorType: type,
        StartingSequenceNumber: sequenceNumber,
      }),
    );
    return answer.ShardIterator!;
  }

  const resumed = () =>
    lastSequenceNumber === undefined
      ? iteratorOf('TRIM_HORIZON')
      : iteratorOf('AFTER_SEQUENCE_NUMBER', lastSequenceNumber);

  return {
    async read(limit) {
      iterator ??= await resumed();
      let answer: GetRecordsCommandOutput;
      try {
        answer = await client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: limit }));
      } catch (error) {
        const { name } = error as Error;
        if (STALE.has(name)) iterator = undefined;
        if (name === 'ExpiredIteratorException') return NOT_READ;
        throw error;
      }
      const { Records = [], NextShardIterator, MillisBehindLatest = 0 } = answer;
      lastSequenceNumber = Records.at(-1)?.SequenceNumber ?? lastSequenceNumber;
      const isAtTip = Records.length === 0 && MillisBehindLatest === 0;
      const isEnd = NextShardIterator === undefined;
      // The emulator puts an iterator that found nothing behind the current time, and so behind a first record that is
      // just being written. One kept where it is finds that record.
      if (!isAtTip || isClosed || isEnd) iterator = NextShardIterator;
      return {
        records: Records,
        isMore: Records.length === limit,
        isAtTip,
        isEnd,
      };
    },
    close() {
      isClosed = true;
    },
  };
}

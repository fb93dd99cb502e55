import {
  GetRecordsCommand,
  type GetRecordsCommandOutput,
  GetShardIteratorCommand,
  type KinesisClient,
  type _Record as ReadRecord,
} from '@aws-sdk/client-kinesis';

export interface ReadResult {
  readonly records: readonly ReadRecord[];
  /** The read reached its limit, so more records may be available. */
  readonly isMore: boolean;
  /** The shard has no further records at present. */
  readonly isAtTip: boolean;
  /** The shard is closed, and all its records were read. */
  readonly isEnd: boolean;
}

/** Reads each record of a shard once, from the oldest one to the end of the shard. */
export interface ShardReader {
  /** @throws the API's errors, except for an expired iterator, which the next read replaces. */
  read(limit: number): Promise<ReadResult>;
  /** Notes that the shard gets no more records. */
  close(): void;
}

export interface ShardReaderOptions {
  readonly client: KinesisClient;
  readonly streamName: string;
  readonly shardId: string;
}

/** Errors after which the iterator is unusable. */
const STALE_ITERATOR = new Set(['ExpiredIteratorException', 'InvalidArgumentException']);

const NOTHING_READ: ReadResult = { records: [], isMore: true, isAtTip: false, isEnd: false };

export function createShardReader({ client, streamName, shardId }: ShardReaderOptions): ShardReader {
  let iterator: string | undefined;
  let lastSequenceNumber: string | undefined;
  let isClosed = false;

  async function newIterator(): Promise<string> {
    const response = await client.send(
      new GetShardIteratorCommand({
        StreamName: streamName,
        ShardId: shardId,
        ShardIteratorType: lastSequenceNumber === undefined ? 'TRIM_HORIZON' : 'AFTER_SEQUENCE_NUMBER',
        StartingSequenceNumber: lastSequenceNumber,
      }),
    );
    return response.ShardIterator!;
  }

  return {
    async read(limit) {
      iterator ??= await newIterator();
      let response: GetRecordsCommandOutput;
      try {
        response = await client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: limit }));
      } catch (error) {
        const { name } = error as Error;
        if (STALE_ITERATOR.has(name)) iterator = undefined;
        if (name === 'ExpiredIteratorException') return NOTHING_READ;
        throw error;
      }
      const { Records = [], NextShardIterator, MillisBehindLatest = 0 } = response;
      lastSequenceNumber = Records.at(-1)?.SequenceNumber ?? lastSequenceNumber;
      const isAtTip = Records.length === 0 && MillisBehindLatest === 0;
      const isEnd = NextShardIterator === undefined;
      // At the tip, the emulator's next iterator starts at the current time, and so after a record that is being written.
      // The current iterator still finds that record.
      if (!isAtTip || isClosed || isEnd) iterator = NextShardIterator;
      return { records: Records, isMore: Records.length === limit, isAtTip, isEnd };
    },
    close() {
      isClosed = true;
    },
  };
}

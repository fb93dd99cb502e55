import { GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-kinesis';
import type { LocalKinesis } from '../../localstack/one-process/kinesis.ts';

export interface ReadRecord {
  readonly key: string;
  readonly data: Buffer;
}

/** Reads all records of a stream with one shard, from the oldest one. */
export async function readRecords({ client }: Pick<LocalKinesis, 'client'>, stream: string): Promise<ReadRecord[]> {
  const shard = { StreamName: stream, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' } as const;
  let { ShardIterator: iterator } = await client.send(new GetShardIteratorCommand(shard));
  const records: ReadRecord[] = [];
  for (;;) {
    const { Records = [], NextShardIterator } = await client.send(new GetRecordsCommand({ ShardIterator: iterator }));
    records.push(...Records.map(({ Data, PartitionKey }) => ({ key: PartitionKey!, data: Buffer.from(Data!) })));
    if (Records.length === 0) return records;
    iterator = NextShardIterator;
  }
}

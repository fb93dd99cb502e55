import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import type { ArrivedRecord } from '../../lambdas/core/control-requests.ts';

export interface ReadOptions {
  /** Records that arrived at or after this time: milliseconds since 1970. */
  readonly since: number;
  /** Largest number of records; the earliest of those found. */
  readonly limit: number;
  /** The consumer group to read a topic of RocketMQ by; by proxies, it consumes what is read. @default - see the sink */
  readonly consumerGroup?: string | undefined;
  /** Of an MQTT broker, which keeps nothing to be read later: how long to wait for messages. @default 10,000 */
  readonly waitMs?: number | undefined;
}

/** Sinks whose targets the worker reads: it has the network and the credentials. */
export const READ_BY_WORKER: readonly string[] = ['rocketmq', 'mqtt'];

type StreamReading = Pick<ReadOptions, 'since' | 'limit'>;

/** Calls without a record that end the reading of a shard: GetRecords may return none although there are later ones. */
const MAX_EMPTY = 3;

/**
 * Reads a stream by GetRecords, up to its end now. Every consumer of a shard shares five calls and 2 MB a second (Amazon Kinesis
 * Data Streams, "Quotas and limits").
 *
 * @returns the records, earliest first.
 */
export async function readStream(
  client: Pick<KinesisClient, 'send'>,
  stream: string,
  { since, limit }: StreamReading,
): Promise<readonly ArrivedRecord[]> {
  const shards = await shardsOf(client, stream);
  const records = await Promise.all(shards.map((shard) => readShard(client, stream, shard, { since, limit })));
  return records
    .flat()
    .sort((a, b) => a.time - b.time)
    .slice(0, limit);
}

async function shardsOf(client: Pick<KinesisClient, 'send'>, StreamName: string): Promise<string[]> {
  const ids: string[] = [];
  let next: { StreamName: string } | { NextToken: string } | undefined = { StreamName };
  while (next !== undefined) {
    const answer: { Shards?: { ShardId?: string }[]; NextToken?: string } = (await client.send(
      new ListShardsCommand(next),
    )) as never;
    ids.push(...(answer.Shards ?? []).map(({ ShardId }) => ShardId!));
    next = answer.NextToken === undefined ? undefined : { NextToken: answer.NextToken };
  }
  return ids;
}

async function readShard(
  client: Pick<KinesisClient, 'send'>,
  StreamName: string,
  ShardId: string,
  { since, limit }: StreamReading,
): Promise<ArrivedRecord[]> {
  const from = { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(since) } as const;
  let { ShardIterator: iterator } = await client.send(new GetShardIteratorCommand({ StreamName, ShardId, ...from }));
  const found: ArrivedRecord[] = [];
  for (let empty = 0; iterator !== undefined && found.length < limit && empty < MAX_EMPTY; ) {
    const {
      Records = [],
      NextShardIterator,
      MillisBehindLatest,
    } = await client.send(new GetRecordsCommand({ ShardIterator: iterator }));
    for (const { Data, PartitionKey, SequenceNumber, ApproximateArrivalTimestamp } of Records)
      found.push({
        target: StreamName,
        key: PartitionKey!,
        time: ApproximateArrivalTimestamp?.getTime() ?? 0,
        position: `${ShardId}:${SequenceNumber}`,
        body: Buffer.from(Data!).toString('base64'),
      });
    if (Records.length === 0 && MillisBehindLatest === 0) break;
    empty = Records.length === 0 ? empty + 1 : 0;
    iterator = NextShardIterator;
  }
  return found;
}

import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  ListShardsCommand,
  MergeShardsCommand,
  PutRecordCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis';
import type { KinesisStreamEvent } from 'aws-lambda';
import { expect, vi } from 'vitest';
import { connectKinesis, type LocalKinesis } from '../../../localstack/one-process/kinesis.ts';

/** A stream of the emulator. */
export interface TestStream {
  readonly name: string;
  readonly arn: string;
  /** Puts one record for each text, one after the other. */
  put(texts: Iterable<string>, partitionKey?: (text: string) => string): Promise<void>;
  /** Splits an open shard in the middle. Shards are numbered in the order of their creation. */
  split(shard: number): Promise<void>;
  merge(shard: number, adjacent: number): Promise<void>;
  delete(): Promise<void>;
}

let streams = 0;

export async function newStream({ client }: Pick<LocalKinesis, 'client'>, shardCount = 1): Promise<TestStream> {
  const name = `stream${streams++}`;
  const active = () =>
    vi.waitFor(
      async () => {
        const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName: name }));
        expect(StreamDescriptionSummary?.StreamStatus).toBe('ACTIVE');
      },
      { interval: 5, timeout: 10_000 },
    );
  await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shardCount }));
  await active();
  return {
    name,
    arn: `arn:aws:kinesis:eu-central-1:123456789012:stream/${name}`,
    async put(texts, partitionKey = (text) => text) {
      for (const text of texts) {
        const PartitionKey = partitionKey(text);
        await client.send(new PutRecordCommand({ StreamName: name, PartitionKey, Data: Buffer.from(text) }));
      }
    },
    async split(shard) {
      const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: name }));
      const { StartingHashKey, EndingHashKey } = Shards[shard]!.HashKeyRange!;
      const middle = (BigInt(StartingHashKey!) + BigInt(EndingHashKey!)) / 2n;
      await client.send(
        new SplitShardCommand({
          StreamName: name,
          ShardToSplit: shardIdOf(shard),
          NewStartingHashKey: String(middle),
        }),
      );
      await active();
    },
    async merge(shard, adjacent) {
      await client.send(
        new MergeShardsCommand({
          StreamName: name,
          ShardToMerge: shardIdOf(shard),
          AdjacentShardToMerge: shardIdOf(adjacent),
        }),
      );
      await active();
    },
    async delete() {
      await client.send(new DeleteStreamCommand({ StreamName: name }));
      // The emulator counts the shards of a stream until it is deleted.
      await vi.waitFor(
        () =>
          expect(client.send(new DescribeStreamSummaryCommand({ StreamName: name }))).rejects.toThrow(
            expect.objectContaining({ name: 'ResourceNotFoundException' }),
          ),
        { interval: 5, timeout: 10_000 },
      );
    },
  };
}

export const shardIdOf = (shard: number) => `shardId-${String(shard).padStart(12, '0')}`;

export const textsOf = (event: KinesisStreamEvent) =>
  event.Records.map(({ kinesis }) => Buffer.from(kinesis.data, 'base64').toString());

/** A client for the same API that counts its calls, and fails those that a test chooses. */
export function faultyClient(endpointUrl: string) {
  const faults: { command: string; error: Error }[] = [];
  const calls: Record<string, number> = {};
  const { client } = connectKinesis(endpointUrl);
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const fault = faults.findIndex(({ command }) => `${command}Command` === commandName);
        if (fault >= 0) throw faults.splice(fault, 1)[0]!.error;
        const answer = await next(args);
        calls[commandName] = (calls[commandName] ?? 0) + 1;
        return answer;
      },
    { step: 'initialize', priority: 'high' },
  );
  return {
    client,
    /** Responses so far. */
    reads: () => calls['GetRecordsCommand'] ?? 0,
    lists: () => calls['ListShardsCommand'] ?? 0,
    /** Fails the next calls of a command, one with each of these error names. */
    fail(command: string, names: readonly string[]) {
      for (const name of names) faults.push({ command, error: Object.assign(new Error(name), { name }) });
    },
    pendingFaults: () => faults.length,
  };
}

import { ListShardsCommand, type Shard as ShardDescription } from '@aws-sdk/client-kinesis';
import { readOptions, type StreamMappingOptions } from './mapping-options.ts';
import { createOutage } from './outage.ts';
import { createPause, retryPauseMs } from './pause.ts';
import { createShard, type EnabledPeriod, type Shard } from './shard.ts';

export type { StreamInvocationResult, StreamMappingOptions } from './mapping-options.ts';

/** An event source mapping from a stream to a function. */
export interface StreamMapping {
  readonly state: 'Enabled' | 'Disabled';
  /**
   * Stops reading, and resolves when the running invocations have ended. Records that were read and are not done stay in
   * the mapping. A function that disables its own mapping must not wait for the promise.
   */
  disable(): Promise<void>;
  /** Continues with the first record of each shard that is not done. */
  enable(): void;
  /**
   * Resolves when all records that are in the stream now are done, and no invocation is running. It waits while the mapping
   * is disabled or a record keeps failing.
   *
   * @throws when the mapping is stopped first
   */
  settle(): Promise<void>;
  /** Disables the mapping permanently. */
  stop(): Promise<void>;
}

/** How often the mapping lists the shards, to find those that were split or merged. */
const LIST_INTERVAL_MS = 1_000;

/**
 * Starts an event source mapping from a Kinesis stream to a function in this process. It reads each shard's records in
 * order, one batch at a time, and child shards after their parents (AWS Lambda, "Using Lambda to process records from Amazon
 * Kinesis Data Streams"). Unlike Lambda, it retries within 5 s and keeps records that it has read beyond the stream's
 * retention.
 *
 * @throws InvalidOptionError for options that CreateEventSourceMapping refuses
 */
export function startStreamMapping(options: StreamMappingOptions): StreamMapping {
  const settings = readOptions(options);
  const { streamName, client, clock } = settings;
  const name = `stream ${streamName}`;
  const outage = createOutage(settings.onError);
  const pause = createPause(clock);
  const shards = new Map<string, Shard>();
  const settling: { settleCall: number; resolve: () => void; reject: (reason: Error) => void }[] = [];
  let period: EnabledPeriod | undefined;
  let ended = Promise.resolve();
  let isStopped = false;
  /** Counts the calls of `settle`, so that a call does not rely on anything that was read before it. */
  let settleCalls = 0;
  let listedAtSettleCall = -1;
  let isListDue = false;

  async function run(current: EnabledPeriod): Promise<void> {
    const running = new Map<string, Promise<void>>();
    let failures = 0;
    while (!current.isOver) {
      failures = (await refresh()) ? 0 : failures + 1;
      for (const shard of shards.values()) {
        if (!running.has(shard.shardId) && isDue(shard)) {
          running.set(shard.shardId, shard.run(current).then(listSoon));
        }
      }
      resolveSettled();
      if (!isListDue && !current.isOver) await pause.wait(failures > 0 ? retryPauseMs(failures) : LIST_INTERVAL_MS);
    }
    await Promise.all(running.values());
  }

  /** Lists the shards; false when the API call failed. */
  async function refresh(): Promise<boolean> {
    const settleCall = settleCalls;
    isListDue = false;
    try {
      const found = await listShards();
      for (const description of found) {
        const shardId = description.ShardId!;
        const shard = shards.get(shardId) ?? createShard(description, setup);
        shards.set(shardId, shard);
        if (description.SequenceNumberRange?.EndingSequenceNumber !== undefined) shard.close();
      }
    } catch (error) {
      outage.failed(name, error);
      return false;
    }
    outage.worked(name);
    listedAtSettleCall = settleCall;
    return true;
  }

  async function listShards(): Promise<ShardDescription[]> {
    const found: ShardDescription[] = [];
    let NextToken: string | undefined;
    do {
      const response = await client.send(
        new ListShardsCommand(NextToken === undefined ? { StreamName: streamName } : { NextToken }),
      );
      found.push(...(response.Shards ?? []));
      NextToken = response.NextToken;
    } while (NextToken !== undefined);
    return found;
  }

  /** A parent shard that is no longer listed is past its retention. */
  function isDue(shard: Shard): boolean {
    return !shard.isDrained && shard.parentIds.every((id) => shards.get(id)?.isDrained ?? true);
  }

  function listSoon(): void {
    isListDue = true;
    pause.interrupt();
  }

  function resolveSettled(): void {
    for (let i = settling.length - 1; i >= 0; i--) {
      const { settleCall, resolve } = settling[i]!;
      if (listedAtSettleCall < settleCall || ![...shards.values()].every((shard) => shard.isSettled(settleCall)))
        continue;
      settling.splice(i, 1);
      resolve();
    }
  }

  const setup = { settings, outage, settleCalls: () => settleCalls, onProgress: resolveSettled };

  const mapping: StreamMapping = {
    get state() {
      return period === undefined ? 'Disabled' : 'Enabled';
    },
    enable() {
      if (isStopped) throw new Error(`The mapping of ${name} was stopped`);
      if (period !== undefined) return;
      const current = { isOver: false };
      period = current;
      // A batch that was started before ends first: a shard never has more than one running batch.
      ended = ended.then(() => run(current));
    },
    disable() {
      if (period !== undefined) period.isOver = true;
      period = undefined;
      pause.interrupt();
      for (const shard of shards.values()) shard.interrupt();
      return ended;
    },
    settle() {
      if (isStopped) return Promise.reject(new Error(`The mapping of ${name} was stopped`));
      settleCalls++;
      return new Promise((resolve, reject) => {
        settling.push({ settleCall: settleCalls, resolve, reject });
        listSoon();
        for (const shard of shards.values()) shard.readSoon();
      });
    },
    async stop() {
      isStopped = true;
      await mapping.disable();
      for (const { reject } of settling.splice(0)) {
        reject(new Error(`The mapping of ${name} was stopped before it settled`));
      }
    },
  };
  if (settings.enabled) mapping.enable();
  return mapping;
}

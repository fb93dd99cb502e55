import { ListShardsCommand, type Shard as ShardDescription } from '@aws-sdk/client-kinesis';
import { readOptions, type StreamMappingOptions } from './mapping-options.ts';
import { createOutage } from './outage.ts';
import { createPause, retryPauseMs } from './pause.ts';
import { createShard, type Period, type Shard } from './shard.ts';

export type { StreamInvocationResult, StreamMappingOptions } from './mapping-options.ts';

/** A stream that feeds a function. */
export interface StreamMapping {
  readonly state: 'Enabled' | 'Disabled';
  /**
   * Reads nothing more, and resolves when the invocations under way have ended. What was read and is not done is kept.
   * A function that disables its own mapping must not wait for that.
   */
  disable(): Promise<void>;
  /** Goes on where it was disabled, with the same record of each shard. */
  enable(): void;
  /**
   * Resolves when every record that is in the stream now is done, and no invocation is under way. While it
   * is disabled, or a record fails for ever, it waits; it rejects if it is stopped first.
   */
  settle(): Promise<void>;
  /** Disables it for good. */
  stop(): Promise<void>;
}

/** How often the stream is asked for shards that were split or merged. */
const LIST_INTERVAL_MS = 1_000;

/**
 * Starts Lambda's event source mapping from a Kinesis stream to a function that runs in this process: each shard's
 * records in order, one batch at a time, a shard's children after itself (AWS Lambda, "Using Lambda to process records
 * from Amazon Kinesis Data Streams"). Unlike Lambda it retries within 5 s, and keeps what it has read even beyond the
 * stream's retention. @throws RangeError if an option is none that Lambda takes
 */
export function startStreamMapping(options: StreamMappingOptions): StreamMapping {
  const settings = readOptions(options);
  const { streamName, client, clock } = settings;
  const name = `stream ${streamName}`;
  const outage = createOutage(settings.onError);
  const pause = createPause(clock);
  const shards = new Map<string, Shard>();
  const settling: { tick: number; resolve: () => void; reject: (reason: Error) => void }[] = [];
  let period: Period | undefined;
  let ended = Promise.resolve();
  let isStopped = false;
  /** Counts the calls of settle(), so that what was seen before one of them does not count for it. */
  let tick = 0;
  let listedAtTick = -1;
  let isListDue = false;

  async function run(current: Period): Promise<void> {
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

  /** Learns which shards there are; false if the API doesn't say. */
  async function refresh(): Promise<boolean> {
    const atTick = tick;
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
    listedAtTick = atTick;
    return true;
  }

  async function listShards(): Promise<ShardDescription[]> {
    const found: ShardDescription[] = [];
    let NextToken: string | undefined;
    do {
      const answer = await client.send(
        new ListShardsCommand(NextToken === undefined ? { StreamName: streamName } : { NextToken }),
      );
      found.push(...(answer.Shards ?? []));
      NextToken = answer.NextToken;
    } while (NextToken !== undefined);
    return found;
  }

  /** A parent that is not listed any more is long past its retention. */
  function isDue(shard: Shard): boolean {
    return !shard.isDrained && shard.parentIds.every((id) => shards.get(id)?.isDrained ?? true);
  }

  function listSoon(): void {
    isListDue = true;
    pause.cut();
  }

  function resolveSettled(): void {
    for (let i = settling.length - 1; i >= 0; i--) {
      const { tick: since, resolve } = settling[i]!;
      if (listedAtTick < since || ![...shards.values()].every((shard) => shard.isSettled(since))) continue;
      settling.splice(i, 1);
      resolve();
    }
  }

  const setup = { settings, outage, tick: () => tick, onProgress: resolveSettled };

  const mapping: StreamMapping = {
    get state() {
      return period === undefined ? 'Disabled' : 'Enabled';
    },
    enable() {
      if (isStopped) throw new Error(`The mapping of ${name} was stopped`);
      if (period !== undefined) return;
      const current = { isOver: false };
      period = current;
      // What is under way from the time before ends first: there is never more than one batch of a shard.
      ended = ended.then(() => run(current));
    },
    disable() {
      if (period !== undefined) period.isOver = true;
      period = undefined;
      pause.cut();
      for (const shard of shards.values()) shard.wake();
      return ended;
    },
    settle() {
      if (isStopped) return Promise.reject(new Error(`The mapping of ${name} was stopped`));
      tick++;
      return new Promise((resolve, reject) => {
        settling.push({ tick, resolve, reject });
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

import type { Shard as ShardDescription } from '@aws-sdk/client-kinesis';
import { type Batch, type BufferedRecord, bisect, bufferRecord, fittingCount } from './batch.ts';
import { invokeWith } from './invocation.ts';
import type { StreamMappingSettings } from './mapping-options.ts';
import type { Outage } from './outage.ts';
import { createPause, retryPauseMs } from './pause.ts';
import { toRecord } from './record.ts';
import { createShardReader, type ReadResult } from './shard-reader.ts';

/** A period in which the mapping is enabled. */
export interface EnabledPeriod {
  isOver: boolean;
}

/** Invokes the function with the records of one shard, in order, one batch at a time. */
export interface Shard {
  readonly shardId: string;
  /** The shards that were split or merged into this one. */
  readonly parentIds: readonly string[];
  /** The shard is closed, and all its records are done. */
  readonly isDrained: boolean;
  /** Invokes the function until the period is over or the shard is drained. Records that were read stay for the next period. */
  run(period: EnabledPeriod): Promise<void>;
  /** Ends the waits of `run`; to be called when its period is over. */
  interrupt(): void;
  /** Reads now instead of at the next poll. */
  readSoon(): void;
  /** Notes that the shard gets no more records. */
  close(): void;
  /** Whether all records are done that were in the shard when `settle` was called for the `settleCall`th time. */
  isSettled(settleCall: number): boolean;
}

export interface ShardSetup {
  readonly settings: StreamMappingSettings;
  readonly outage: Outage;
  /** How often the mapping's `settle` was called; see {@link Shard.isSettled}. */
  readonly settleCalls: () => number;
  /** Called whenever the shard may be settled. */
  readonly onProgress: () => void;
}

/** Larger batches take several reads, because the emulator builds each response as one string. */
const MOST_PER_READ = 250;

export function createShard(description: ShardDescription, setup: ShardSetup): Shard {
  const { settings, outage, settleCalls, onProgress } = setup;
  const { clock, batchSize } = settings;
  const shardId = description.ShardId!;
  const name = `stream ${settings.streamName}, shard ${shardId}`;
  const origin = { ...settings, shardId };
  const reader = createShardReader({ ...settings, shardId });
  const pause = createPause(clock);

  /** Records that are in no batch yet. */
  let waiting: BufferedRecord[] = [];
  /** When the waiting records become a batch, even if it is not full. */
  let windowEndsAt = Number.POSITIVE_INFINITY;
  /** The current batch, and the batches that were bisected from it. */
  let batches: Batch[] = [];
  let isRead = false;
  let emptyAtSettleCall = -1;
  let failedReads = 0;
  let isResting = false;
  let isReadDue = false;

  const isDrained = () => isRead && waiting.length === 0 && batches.length === 0;

  async function run(period: EnabledPeriod): Promise<void> {
    while (!period.isOver && !isDrained()) {
      const [batch] = batches;
      if (batch !== undefined) await advance(batch);
      else if (isBatchReady()) batches.push(takeBatch());
      else await rest(period, await read());
    }
  }

  /** Invokes the function with the batch, or waits until the batch is due. */
  async function advance(batch: Batch): Promise<void> {
    const waitMs = batch.dueAt - clock.now();
    if (waitMs > 0) return pause.wait(waitMs);
    batches = [...(await remainderOf(batch)), ...batches.slice(1)];
    onProgress();
  }

  /** Invokes the function with the batch, and returns the batches to retry. */
  async function remainderOf(batch: Batch): Promise<Batch[]> {
    const { done, failure, result } = await invokeWith(settings, shardId, batch.records);
    const now = clock.now();
    settings.onInvocation(result);
    const records = batch.records.slice(done);
    if (records.length === 0) return [];
    if (failure && settings.bisectBatchOnFunctionError && records.length > 1) {
      return bisect({ ...batch, dueAt: now });
    }
    const failures = done > 0 ? 1 : batch.failures + 1;
    return [{ records, failures, dueAt: now + retryPauseMs(failures) }];
  }

  /** Reads once, and returns the milliseconds to wait before the next read. */
  async function read(): Promise<number> {
    const settleCall = settleCalls();
    isReadDue = false;
    let result: ReadResult;
    try {
      result = await reader.read(Math.min(MOST_PER_READ, batchSize - waiting.length));
    } catch (error) {
      outage.failed(name, error);
      return retryPauseMs(++failedReads);
    }
    outage.worked(name);
    failedReads = 0;
    if (result.records.length > 0 && waiting.length === 0) openWindow();
    for (const record of result.records) waiting.push(bufferRecord(toRecord(record, origin)));
    if (settings.windowSeconds === 0 && !result.isMore && waiting.length > 0) windowEndsAt = clock.now();
    if (result.isAtTip) emptyAtSettleCall = settleCall;
    isRead = result.isEnd;
    onProgress();
    return result.isMore ? 0 : Math.min(settings.pollIntervalMs, windowEndsAt - clock.now());
  }

  function openWindow(): void {
    const { windowSeconds } = settings;
    windowEndsAt = windowSeconds === 0 ? Number.POSITIVE_INFINITY : clock.now() + windowSeconds * 1000;
  }

  function isBatchReady(): boolean {
    if (waiting.length === 0) return false;
    if (isRead || clock.now() >= windowEndsAt) return true;
    const count = fittingCount(waiting, batchSize);
    return count === batchSize || count < waiting.length;
  }

  function takeBatch(): Batch {
    const count = fittingCount(waiting, batchSize);
    const records = waiting.slice(0, count);
    waiting = waiting.slice(count);
    windowEndsAt = Number.POSITIVE_INFINITY;
    if (waiting.length > 0) openWindow();
    return { records, failures: 0, dueAt: clock.now() };
  }

  async function rest(period: EnabledPeriod, ms: number): Promise<void> {
    if (ms <= 0 || period.isOver || isReadDue || isDrained()) return;
    isResting = true;
    await pause.wait(ms);
    isResting = false;
  }

  return {
    shardId,
    parentIds: [description.ParentShardId, description.AdjacentParentShardId].filter((id) => id !== undefined),
    get isDrained() {
      return isDrained();
    },
    run,
    interrupt: () => pause.interrupt(),
    readSoon() {
      isReadDue = true;
      if (isResting) pause.interrupt();
    },
    close: () => reader.close(),
    isSettled: (settleCall) =>
      waiting.length === 0 && batches.length === 0 && (isRead || emptyAtSettleCall >= settleCall),
  };
}

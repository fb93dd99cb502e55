import type { Shard as ShardDescription } from '@aws-sdk/client-kinesis';
import { type Batch, fittingCount, type HeldRecord, halves, hold } from './batch.ts';
import { invoke } from './invocation.ts';
import type { StreamMappingSettings } from './mapping-options.ts';
import type { Outage } from './outage.ts';
import { createPause, retryPauseMs } from './pause.ts';
import { toRecord } from './record.ts';
import { createShardReader, type ReadResult } from './shard-reader.ts';

/** A time in which the mapping is enabled. */
export interface Period {
  isOver: boolean;
}

/** One shard and what was read of it: one batch at a time, in order. */
export interface Shard {
  readonly shardId: string;
  /** The shards that were split or merged into this one. */
  readonly parentIds: readonly string[];
  /** The shard is closed, and every record of it is done. */
  readonly isDrained: boolean;
  /** Feeds the function until the period is over or the shard drained. What is held then is kept for the next period. */
  run(period: Period): Promise<void>;
  /** Ends what `run` waits for; to be called when its period is over. */
  wake(): void;
  /** Reads without waiting for its next poll. */
  readSoon(): void;
  /** Tells that nothing more is written to the shard. */
  close(): void;
  /** Whether all that was in the shard at that tick is done. */
  isSettled(tick: number): boolean;
}

export interface ShardSetup {
  readonly settings: StreamMappingSettings;
  readonly outage: Outage;
  /** The current tick of the mapping; see {@link Shard.isSettled}. */
  readonly tick: () => number;
  /** Hears of whatever may have settled the shard. */
  readonly onProgress: () => void;
}

/** More is read in several reads: the emulator answers in one piece of text, however big. */
const MOST_PER_READ = 250;

export function createShard(description: ShardDescription, setup: ShardSetup): Shard {
  const { settings, outage, tick, onProgress } = setup;
  const { clock, batchSize } = settings;
  const shardId = description.ShardId!;
  const name = `stream ${settings.streamName}, shard ${shardId}`;
  const origin = { ...settings, shardId };
  const reader = createShardReader({ ...settings, shardId });
  const pause = createPause(clock);

  /** Read and in no batch yet. */
  let waiting: HeldRecord[] = [];
  /** When the records waiting go, full batch or not. */
  let windowEndsAt = Number.POSITIVE_INFINITY;
  /** The one being tried, and its other halves. */
  let batches: Batch[] = [];
  let isRead = false;
  let emptyAtTick = -1;
  let failedReads = 0;
  let isResting = false;
  let isReadDue = false;

  const isDrained = () => isRead && waiting.length === 0 && batches.length === 0;

  async function run(period: Period): Promise<void> {
    while (!period.isOver && !isDrained()) {
      const [batch] = batches;
      if (batch !== undefined) await advance(batch);
      else if (isBatchReady()) batches.push(takeBatch());
      else await rest(period, await read());
    }
  }

  /** Tries the batch, or waits until that may be. */
  async function advance(batch: Batch): Promise<void> {
    const waitMs = batch.dueAt - clock.now();
    if (waitMs > 0) return pause.wait(waitMs);
    batches = [...(await tried(batch)), ...batches.slice(1)];
    onProgress();
  }

  /** What is left to do of a batch after an invocation. */
  async function tried(batch: Batch): Promise<Batch[]> {
    const { done, failure, result } = await invoke(settings, shardId, batch.records);
    const now = clock.now();
    settings.onInvocation(result);
    const records = batch.records.slice(done);
    if (records.length === 0) return [];
    if (failure && settings.bisectBatchOnFunctionError && records.length > 1) {
      return halves({ ...batch, dueAt: now });
    }
    const failures = done > 0 ? 1 : batch.failures + 1;
    return [{ records, failures, dueAt: now + retryPauseMs(failures) }];
  }

  /** Reads once, and returns how long to wait until the next time. */
  async function read(): Promise<number> {
    const atTick = tick();
    isReadDue = false;
    let answer: ReadResult;
    try {
      answer = await reader.read(Math.min(MOST_PER_READ, batchSize - waiting.length));
    } catch (error) {
      outage.failed(name, error);
      return retryPauseMs(++failedReads);
    }
    outage.worked(name);
    failedReads = 0;
    if (answer.records.length > 0 && waiting.length === 0) openWindow();
    for (const record of answer.records) waiting.push(hold(toRecord(record, origin)));
    if (settings.windowSeconds === 0 && !answer.isMore && waiting.length > 0) windowEndsAt = clock.now();
    if (answer.isAtTip) emptyAtTick = atTick;
    isRead = answer.isEnd;
    onProgress();
    return answer.isMore ? 0 : Math.min(settings.pollIntervalMs, windowEndsAt - clock.now());
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

  async function rest(period: Period, ms: number): Promise<void> {
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
    wake: () => pause.cut(),
    readSoon() {
      isReadDue = true;
      if (isResting) pause.cut();
    },
    close: () => reader.close(),
    isSettled: (since) => waiting.length === 0 && batches.length === 0 && (isRead || emptyAtTick >= since),
  };
}

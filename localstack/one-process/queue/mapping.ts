import { randomUUID } from 'node:crypto';
import type { SQSRecord } from 'aws-lambda';
import { type Clock, systemClock } from '../clock.ts';
import { failedIds } from '../lambda/batch-response.ts';
import { invoke } from '../lambda/function.ts';
import { Batch } from './batch.ts';
import { checkOptions, type MappingOptions } from './mapping-options.ts';
import type { Queue } from './queue.ts';
import { toRecord } from './record.ts';
import { SqsError } from './sqs-error.ts';

export type { InvocationResult, MappingOptions } from './mapping-options.ts';

/** An event source mapping from a queue to a function. */
export interface Mapping {
  readonly state: 'Enabled' | 'Disabled';
  /**
   * Stops receiving, returns the messages of an open batch to the queue, and resolves when the running invocations have
   * ended. A function that disables its own mapping must not wait for the promise.
   */
  disable(): Promise<void>;
  enable(): void;
  /** Resolves when no message is visible, no batch is open and no invocation is running. @throws when it is stopped first. */
  settle(): Promise<void>;
  /** Disables the mapping permanently. */
  stop(): Promise<void>;
}

/**
 * Starts an event source mapping from a queue to a function in this process (AWS Lambda, "Using Lambda with Amazon SQS").
 *
 * @throws InvalidOptionError for options that CreateEventSourceMapping refuses
 */
export function startMapping(options: MappingOptions): Mapping {
  const mapping = new QueueMapping(options);
  if (options.enabled ?? true) mapping.enable();
  return mapping;
}

class QueueMapping implements Mapping {
  readonly #queue: Queue;
  readonly #function: MappingOptions & { readonly accountId: string; readonly clock: Clock };
  readonly #batchSize: number;
  readonly #windowSeconds: number;
  readonly #maximumConcurrency: number;
  readonly #onInvocation: MappingOptions['onInvocation'];
  readonly #running = new Set<Promise<void>>();
  readonly #settling: { resolve: () => void; reject: (reason: Error) => void }[] = [];
  #state: Mapping['state'] = 'Disabled';
  #isStopped = false;
  #open: Batch | undefined;
  #cancelWindow = () => {};
  #isPollDue = false;
  #stopListening = () => {};

  constructor(options: MappingOptions) {
    checkOptions(options);
    const { queue, batchSize = 10, windowSeconds = 0, maximumConcurrency = 5, clock = systemClock } = options;
    this.#queue = queue;
    this.#function = { ...options, clock, accountId: queue.arn.split(':')[4] ?? '' };
    this.#batchSize = batchSize;
    this.#windowSeconds = windowSeconds;
    this.#maximumConcurrency = maximumConcurrency;
    this.#onInvocation = options.onInvocation;
  }

  get state(): Mapping['state'] {
    return this.#state;
  }

  enable(): void {
    if (this.#isStopped) throw new Error(`The mapping of ${this.#queue.name} was stopped`);
    if (this.#state === 'Enabled') return;
    this.#state = 'Enabled';
    this.#stopListening = this.#queue.onAvailable(() => this.#pollSoon());
    this.#pollSoon();
  }

  async disable(): Promise<void> {
    this.#state = 'Disabled';
    this.#stopListening();
    const batch = this.#takeOpen();
    for (const { receiptHandle } of batch?.records ?? []) returnToQueue(this.#queue, receiptHandle);
    this.#pollSoon();
    await Promise.all(this.#running);
  }

  settle(): Promise<void> {
    if (this.#isSettled()) return Promise.resolve();
    return new Promise((resolve, reject) => this.#settling.push({ resolve, reject }));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.disable();
    this.#resolveSettled();
    for (const { reject } of this.#settling.splice(0)) reject(new Error('The mapping was stopped before it settled'));
  }

  /** Polls in a later turn, so that sockets and timers get their turn between two batches. */
  #pollSoon(): void {
    if (this.#isPollDue) return;
    this.#isPollDue = true;
    setImmediate(() => {
      this.#isPollDue = false;
      this.#poll();
      this.#resolveSettled();
    });
  }

  #poll(): void {
    while (this.#state === 'Enabled' && this.#running.size < this.#maximumConcurrency) {
      if (this.#open?.isClosed) {
        this.#invoke(this.#takeOpen());
        this.#pollSoon();
        return;
      }
      // One at a time, so that at most one message waits when the event is full.
      const [message] = this.#queue.receive(1);
      if (message) this.#collect(toRecord(message, this.#queue.arn, this.#function.region));
      else if (this.#open && this.#windowSeconds === 0) this.#open.isClosed = true;
      else return;
    }
  }

  #collect(record: SQSRecord): void {
    let batch = this.#open ?? this.#openBatch();
    if (!batch.add(record)) {
      this.#invoke(this.#takeOpen());
      batch = this.#openBatch();
      batch.add(record);
    }
    if (batch.records.length === this.#batchSize) batch.isClosed = true;
  }

  #openBatch(): Batch {
    const batch = new Batch();
    this.#open = batch;
    if (this.#windowSeconds > 0) {
      this.#cancelWindow = this.#function.clock.after(this.#windowSeconds * 1000, () => {
        batch.isClosed = true;
        this.#pollSoon();
      });
    }
    return batch;
  }

  #takeOpen(): Batch | undefined {
    const batch = this.#open;
    this.#open = undefined;
    this.#cancelWindow();
    this.#cancelWindow = () => {};
    return batch;
  }

  #invoke(batch: Batch | undefined): void {
    if (batch === undefined) return;
    // Not caught: it rejects only when onInvocation throws or the queue has a defect.
    const invocation = this.#run(batch).finally(() => {
      this.#running.delete(invocation);
      this.#pollSoon();
    });
    this.#running.add(invocation);
  }

  async #run({ records, bytes }: Batch): Promise<void> {
    const { clock } = this.#function;
    const startedAt = clock.now();
    const requestId = randomUUID();
    // A copy, because the function may change its event.
    const received = records.map(({ messageId, receiptHandle }) => ({ messageId, receiptHandle }));
    const ids = new Set(received.map(({ messageId }) => messageId));
    let failed: ReadonlySet<string> = ids;
    let failure: { error?: unknown } = {};
    try {
      failed = failedIds(await invoke(this.#function, { Records: records }, requestId), ids);
    } catch (error) {
      failure = { error };
    }
    for (const { messageId, receiptHandle } of received) if (!failed.has(messageId)) this.#queue.delete(receiptHandle);
    const durationMs = clock.now() - startedAt;
    this.#onInvocation?.({
      requestId,
      records: received.length,
      bytes,
      durationMs,
      failedMessageIds: [...failed],
      ...failure,
    });
  }

  #isSettled(): boolean {
    return this.#running.size === 0 && this.#open === undefined && this.#queue.counts.visible === 0;
  }

  #resolveSettled(): void {
    if (this.#settling.length > 0 && this.#isSettled()) for (const { resolve } of this.#settling.splice(0)) resolve();
  }
}

function returnToQueue(queue: Queue, receiptHandle: string): void {
  try {
    queue.changeVisibility(receiptHandle, 0);
  } catch (error) {
    // The visibility timeout ended while the message was in the open batch, so it is visible again.
    if (!(error instanceof SqsError && error.name === 'MessageNotInflight')) throw error;
  }
}

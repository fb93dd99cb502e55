import { setTimeout as sleep } from 'node:timers/promises';
import { concurrencyLimit } from '../net/concurrency-limit.ts';
import { addTo, type Batch, type Batching, formBatches } from './batching.ts';
import { type Failure, failure } from './outcome.ts';
import { type DeliverContext, isSettled, type Outcome } from './sink.ts';

/** How a sink sends requests; `orderedDelivery` decides when. */
export interface Transport<Request, Delivered extends Outcome = Outcome> {
  /**
   * Names what must stay in order. A request is sent once the one before it of the same key is delivered or can never be;
   * requests without a key are sent in any order.
   */
  orderKey(request: Request, order: DeliverContext['order']): string | undefined;
  /** @default - one request per call */
  readonly batching?: Batching<Request>;
  /** Calls in flight at a time, over all deliveries. */
  readonly maxConcurrency: number;
  /** No call is started with less time left than this, in milliseconds. @default 1 */
  readonly minTimeMs?: number;
  /** Waits before requests whose outcome is `retry` are sent again, in milliseconds, each shortened by up to half at random. @default - none */
  readonly resendAfterMs?: readonly number[];
  /**
   * Makes one call.
   *
   * @returns one outcome per request, in order; or `SPLIT` if the server refused several requests and one may be the cause.
   * @throws RetryLater, NeverRetry, StopTask as the outcome of all requests of the call.
   */
  send(requests: readonly Request[], leftMs: number): Promise<readonly (Delivered | Failure)[] | typeof SPLIT>;
}

/** The result of a call that was refused as a whole: both halves are sent, one after the other, down to single requests. */
export const SPLIT = Symbol('split');

const UNSENT: Failure = { status: 'unsent' };

/**
 * Makes a sink's `deliver` method from its transport. Without an order, it makes as many calls at a time as allowed. `strict`
 * keeps the order of each key. `relaxed` sends one batch after the other, and none after a batch of which a request is owed;
 * with one request per call, a batch is as many calls as are allowed at a time.
 */
export function orderedDelivery<Request, Delivered extends Outcome = Outcome>({
  orderKey,
  batching,
  maxConcurrency,
  minTimeMs = 1,
  resendAfterMs = [],
  send,
}: Transport<Request, Delivered>) {
  const limited = concurrencyLimit(maxConcurrency);

  return async (
    requests: readonly Request[],
    { remainingMs, order }: DeliverContext,
  ): Promise<readonly (Delivered | Failure)[]> => {
    const outcomes: (Delivered | Failure)[] = new Array(requests.length).fill(UNSENT);
    const all = Array.from(requests, (_, index) => index);
    // Relaxed order sends batches in sequence, as if all requests had one key.
    const isSequential = order === 'relaxed' && batching !== undefined;
    const keys = requests.map((request) => (isSequential ? '' : orderKey(request, order)));
    /** Keys of requests that are owed: later requests of these keys stay unsent. */
    const held = new Set<string | undefined>();

    const isOwed = (index: number) => !isSettled(outcomes[index]!);

    async function call(indices: readonly number[]) {
      const leftMs = remainingMs();
      if (leftMs < minTimeMs) return undefined;
      try {
        return await send(
          indices.map((index) => requests[index]!),
          leftMs,
        );
      } catch (error) {
        const outcome = failure(error);
        return indices.map(() => outcome);
      }
    }

    async function deliverBatch(indices: readonly number[]): Promise<void> {
      let owed = indices.filter((index) => !held.has(keys[index]));
      if (owed.length === 0) return;
      for (const waitMs of [...resendAfterMs, undefined]) {
        const answer = await limited(() => call(owed));
        if (answer === undefined) break;
        if (answer === SPLIT) {
          if (owed.length === 1) throw new RangeError('a call with one request cannot be split');
          for (const half of halves(owed)) await deliverBatch(half);
          break;
        }
        for (const [n, index] of owed.entries()) outcomes[index] = answer[n]!;
        owed = owed.filter((index) => outcomes[index]!.status === 'retry');
        if (owed.length === 0 || waitMs === undefined || remainingMs() < minTimeMs + waitMs) break;
        await sleep(waitMs * (1 - Math.random() / 2));
      }
      for (const index of indices) if (keys[index] !== undefined && isOwed(index)) held.add(keys[index]);
    }

    /** Sends each request as soon as the one before it of its key is settled. */
    async function deliverInTurn(indices: readonly number[]): Promise<void> {
      const { first, next } = linesOf(indices, keys);
      const deliverAll = async (ready: readonly number[]): Promise<void> => {
        await Promise.all(
          batchesOf(ready, next).map(async (batch) => {
            await deliverBatch(batch);
            const sent = batching?.isAtomic ? new Set(batch) : undefined;
            const followers: number[] = [];
            for (const index of batch) {
              const follower = next[index];
              if (follower === undefined || sent?.has(follower) || held.has(keys[follower])) continue;
              followers.push(follower);
            }
            if (followers.length > 0) await deliverAll(followers);
          }),
        );
      };
      await deliverAll(first);
    }

    function batchesOf(ready: readonly number[], next: readonly (number | undefined)[]): number[][] {
      if (batching === undefined) return ready.map((index) => [index]);
      const batches = formBatches(requests, ready, batching);
      if (batching.isAtomic) for (const batch of batches) addFollowers(batch, next, requests, batching);
      return batches.map((batch) => batch.indices);
    }

    if (isSequential) {
      for (const { indices } of formBatches(requests, all, batching)) await deliverBatch(indices);
    } else if (order === 'relaxed') {
      for (let at = 0; at < all.length; at += maxConcurrency) {
        const batch = all.slice(at, at + maxConcurrency);
        await deliverInTurn(batch);
        if (batch.some(isOwed)) break;
      }
    } else await deliverInTurn(all);
    return outcomes;
  };
}

/** Returns the first request of each key with all requests without a key, and for each request the next one of its key. */
function linesOf(indices: readonly number[], keys: readonly (string | undefined)[]) {
  const first: number[] = [];
  const next: (number | undefined)[] = new Array(keys.length);
  const last = new Map<string, number>();
  for (const index of indices) {
    const key = keys[index];
    const before = key === undefined ? undefined : last.get(key);
    if (before === undefined) first.push(index);
    else next[before] = index;
    if (key !== undefined) last.set(key, index);
  }
  return { first, next };
}

/** Adds the next requests of a batch's keys, as far as they fit, and sorts the batch. */
function addFollowers<Request>(
  batch: Batch,
  next: readonly (number | undefined)[],
  requests: readonly Request[],
  batching: Batching<Request>,
): void {
  // The loop also visits the requests that it adds.
  for (const index of batch.indices) {
    const follower = next[index];
    if (follower === undefined || batching.target(requests[follower]!) !== batch.target) continue;
    addTo(batch, follower, requests, batching);
  }
  batch.indices.sort((a, b) => a - b);
}

function halves(indices: readonly number[]): (readonly number[])[] {
  const middle = indices.length >> 1;
  return [indices.slice(0, middle), indices.slice(middle)];
}

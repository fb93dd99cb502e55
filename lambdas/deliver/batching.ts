/** What several requests need to share one call. */
export interface Batching<Request> {
  /** Requests share a call only with requests of the same target, such as a stream, or a queue of a topic. */
  target(request: Request): string;
  /** Bytes that a request takes up in a call; `Infinity` for a request that must be alone in one. */
  bytes(request: Request): number;
  readonly maxRequests: number;
  /** A single request may exceed it; the server then judges that request. It is read for each batch, so that a sink may lower it. */
  readonly maxBytes: number;
  /**
   * Whether the server stores the requests of a call in their order, and either all of them or none. Then a call may hold
   * several requests that follow each other; otherwise it holds at most one of each order key.
   */
  readonly isAtomic: boolean;
}

/** Requests that share a call, by their indices. */
export interface Batch {
  readonly target: string;
  readonly indices: number[];
  bytes: number;
}

/** Divides requests, given by their indices, into batches; requests of one target stay in their order. */
export function formBatches<Request>(
  requests: readonly Request[],
  indices: Iterable<number>,
  batching: Batching<Request>,
): Batch[] {
  const batches: Batch[] = [];
  const open = new Map<string, Batch>();
  for (const index of indices) {
    const target = batching.target(requests[index]!);
    let batch = open.get(target);
    if (batch === undefined || !addTo(batch, index, requests, batching)) {
      batch = { target, indices: [index], bytes: batching.bytes(requests[index]!) };
      batches.push(batch);
      open.set(target, batch);
    }
  }
  return batches;
}

/** Adds a request of the batch's target. @returns false when it does not fit. */
export function addTo<Request>(
  batch: Batch,
  index: number,
  requests: readonly Request[],
  batching: Batching<Request>,
): boolean {
  const bytes = batch.bytes + batching.bytes(requests[index]!);
  if (batch.indices.length >= batching.maxRequests || bytes > batching.maxBytes) return false;
  batch.indices.push(index);
  batch.bytes = bytes;
  return true;
}

import type { Outcome } from '../sink.ts';
import { type ChunkLimits, chunk } from './chunk.ts';
import type { KinesisRequest } from './render.ts';

/** Indices of requests to send together, one round after the other; it looks at the outcomes so far before each. */
export type Rounds = (outcomes: readonly (Outcome | undefined)[]) => Iterable<number[]>;

const mayFollow = (outcome: Outcome | undefined) => outcome?.status === 'delivered' || outcome?.status === 'never';

/** A call's worth of requests at a time, in order, and none after a call of which something is left over. */
export function inOrder(requests: readonly KinesisRequest[], limits: ChunkLimits): Rounds {
  return function* (outcomes) {
    for (const { indices } of chunk(requests, requests.keys(), limits)) {
      yield indices;
      if (!indices.every((i) => mayFollow(outcomes[i]))) return;
    }
  };
}

/** At most one request of each partition key at a time: PutRecords keeps no order among its records (row E5). */
export function byTurns(requests: readonly KinesisRequest[]): Rounds {
  return function* (outcomes) {
    const waiting = new Map<string, number[]>();
    for (const [i, { stream, partitionKey }] of requests.entries()) {
      const key = `${stream}\n${partitionKey}`;
      const line = waiting.get(key);
      if (line === undefined) waiting.set(key, [i]);
      else line.push(i);
    }
    const lines = [...waiting.values()];
    for (let turn = 0; ; turn++) {
      const round = lines.filter((line) => turn < line.length && (turn === 0 || mayFollow(outcomes[line[turn - 1]!])));
      if (round.length === 0) return;
      yield round.map((line) => line[turn]!);
    }
  };
}

import type { KinesisRequest } from './render.ts';

export interface ChunkLimits {
  readonly maxRecords: number;
  readonly maxRequestBytes: number;
}

/** Indices of requests that go into one PutRecords call, one stream each, in the order they were given. */
export interface Chunk {
  readonly stream: string;
  readonly indices: number[];
}

/** Splits requests into calls that Kinesis accepts. A request larger than a call may be goes alone. */
export function chunk(requests: readonly KinesisRequest[], indices: Iterable<number>, limits: ChunkLimits): Chunk[] {
  const chunks: Chunk[] = [];
  const open = new Map<string, { chunk: Chunk; bytes: number }>();
  for (const index of indices) {
    const { stream, bytes } = requests[index]!;
    const current = open.get(stream);
    const fits =
      current !== undefined &&
      current.chunk.indices.length < limits.maxRecords &&
      current.bytes + bytes <= limits.maxRequestBytes;
    if (fits) {
      current.chunk.indices.push(index);
      current.bytes += bytes;
    } else {
      const started = { stream, indices: [index] };
      chunks.push(started);
      open.set(stream, { chunk: started, bytes });
    }
  }
  return chunks;
}

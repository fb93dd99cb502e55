import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordsCommand,
  type PutRecordsResultEntry,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Resolved } from '../../core/deploy-time.ts';
import { NeverRetry, RetryLater, StopTask, show } from '../../core/errors.ts';
import { type DeliverContext, LOCAL_CREDENTIALS, type Outcome, type Sink, type SinkEnvironment } from '../sink.ts';
import { type Chunk, chunk } from './chunk.ts';
import { classifyCall, classifyEntry } from './classify.ts';
import type { KinesisOptions } from './config.ts';
import { byTurns, inOrder } from './order.ts';
import type { KinesisRequest } from './render.ts';
import { RULES } from './rules.ts';

// An attempt of ours is one call or its one repetition by the SDK; the task's retry policy does the rest.
const SDK_ATTEMPTS = 2;
const CONNECTION_TIMEOUT_MS = 2_000;
const REQUEST_TIMEOUT_MS = 8_000;
/** Waits before records that a call left over are sent again, in milliseconds, each shortened by up to half at random. */
const RESEND_AFTER_MS = [100, 300, 900];
/** No call is started with less time left than it may take. */
const CALL_MS = SDK_ATTEMPTS * REQUEST_TIMEOUT_MS + 1_000;

/** Asked for when a template names the streams. */
const SOME_STREAM = 'outflow-connectivity-test';
const ANSWERS_ENOUGH = new Set(['ResourceNotFoundException', 'AccessDeniedException']);

/** What the sink needs of a Kinesis client. */
export type PutRecords = Pick<KinesisClient, 'send' | 'destroy'>;

/** Delivers to Kinesis Data Streams by PutRecords; only records that Kinesis refused are sent again. Promises no order. */
export function openKinesis(
  options: Resolved<KinesisOptions>,
  { endpointUrl, env }: SinkEnvironment,
): Sink<KinesisRequest> {
  return kinesisSink(options, () => {
    return new KinesisClient({
      maxAttempts: SDK_ATTEMPTS,
      ...(endpointUrl !== undefined && {
        endpoint: endpointUrl,
        region: env['AWS_REGION'] ?? 'us-east-1',
        credentials: LOCAL_CREDENTIALS,
      }),
      requestHandler: new NodeHttpHandler({
        connectionTimeout: CONNECTION_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        throwOnRequestTimeout: true,
      }),
    });
  });
}

export function kinesisSink(options: Resolved<KinesisOptions>, connect: () => PutRecords): Sink<KinesisRequest> {
  let client: PutRecords | undefined;

  async function send(
    { stream, indices }: Chunk,
    requests: readonly KinesisRequest[],
    outcomes: Outcome[],
  ): Promise<void> {
    const unusable = unusableName(stream);
    if (unusable !== undefined) {
      for (const i of indices) outcomes[i] = { status: 'stop', error: unusable };
      return;
    }
    client ??= connect();
    let entries: PutRecordsResultEntry[];
    try {
      const answer = await client.send(
        new PutRecordsCommand({ StreamName: stream, Records: indices.map((i) => toEntry(requests[i]!)) }),
        // The client's own time-out ends with the headers; an answer that stops half-way would be waited for without end.
        { abortSignal: AbortSignal.timeout(CALL_MS) },
      );
      entries = answer.Records ?? [];
    } catch (error) {
      const verdictOn = (i: number) => classifyCall(error, { name: stream, isRendered: requests[i]!.isStreamRendered });
      const verdict = verdictOn(indices[0]!);
      // Kinesis refuses a call for one bad record: halves find it, so that it alone is dead-lettered.
      if (verdict instanceof NeverRetry && verdict.code === 'REJECTED' && indices.length > 1) {
        const half = indices.length >> 1;
        await send({ stream, indices: indices.slice(0, half) }, requests, outcomes);
        return send({ stream, indices: indices.slice(half) }, requests, outcomes);
      }
      for (const i of indices) outcomes[i] = toOutcome(verdictOn(i));
      return;
    }
    indices.forEach((i, n) => {
      outcomes[i] = fromEntry(stream, entries[n]);
    });
  }

  /** Sends records, and again what Kinesis left over of them, briefly; what there is no time for is unsent. */
  async function sendAll(
    requests: readonly KinesisRequest[],
    indices: readonly number[],
    outcomes: Outcome[],
    { remainingMs }: DeliverContext,
    atOnce: number,
  ): Promise<void> {
    let owed = indices;
    for (const waitMs of [...RESEND_AFTER_MS, undefined]) {
      await eachAtOnce(chunk(requests, owed, options), atOnce, async (c) => {
        if (remainingMs() < CALL_MS) for (const i of c.indices) outcomes[i] ??= { status: 'unsent' };
        else await send(c, requests, outcomes);
      });
      owed = indices.filter((i) => outcomes[i]!.status === 'retry');
      if (owed.length === 0 || waitMs === undefined || remainingMs() < CALL_MS + waitMs) return;
      await sleep(waitMs * (1 - Math.random() / 2));
    }
  }

  async function describe(stream: string): Promise<string> {
    client ??= connect();
    const isRendered = stream.includes('${');
    const StreamName = isRendered ? SOME_STREAM : stream;
    const unusable = unusableName(StreamName);
    if (unusable !== undefined) throw unusable;
    try {
      const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
      const { StreamStatus = 'in an unknown state', OpenShardCount } = StreamDescriptionSummary ?? {};
      if (StreamStatus === 'ACTIVE' || StreamStatus === 'UPDATING')
        return `stream ${StreamName} is ${StreamStatus}, with ${OpenShardCount} open shards`;
      throw new RetryLater(`stream ${StreamName} is ${StreamStatus}`);
    } catch (error) {
      if (error instanceof RetryLater) throw error;
      // The names come with the messages; that Kinesis knows who asks, and knows no such stream, is all there is to find out.
      if (isRendered && ANSWERS_ENOUGH.has((error as Error).name))
        return `Kinesis answers; streams are named by ${stream}`;
      throw classifyCall(error, { name: StreamName, isRendered: false }, 'DescribeStreamSummary');
    }
  }

  return {
    async deliver(requests, context: DeliverContext) {
      const outcomes: Outcome[] = new Array(requests.length);
      if (context.order === undefined) {
        await sendAll(requests, [...requests.keys()], outcomes, context, options.inflightWindow);
        return outcomes;
      }
      const rounds = context.order === 'strict' ? byTurns(requests) : inOrder(requests, options);
      for (const round of rounds(outcomes)) await sendAll(requests, round, outcomes, context, options.inflightWindow);
      for (const i of requests.keys()) outcomes[i] ??= { status: 'unsent' };
      return outcomes;
    },
    async testConnectivity(streams = [options.stream]) {
      const found: string[] = [];
      // One after the other: an account may describe twenty streams a second.
      for (const stream of streams) found.push(await describe(stream));
      return found.join('; ');
    },
    close() {
      client?.destroy();
    },
  };
}

// Only a name that the deployment knew comes so far: others are judged at synth, or when they are rendered.
function unusableName(stream: string): StopTask | undefined {
  const { isMet, expected } = RULES.stream;
  return isMet(stream) ? undefined : new StopTask(`stream: got ${show(stream)}; expected ${expected}`);
}

function toEntry({ data, partitionKey, explicitHashKey }: KinesisRequest) {
  return {
    Data: data,
    PartitionKey: partitionKey,
    ...(explicitHashKey !== undefined && { ExplicitHashKey: explicitHashKey }),
  };
}

function fromEntry(stream: string, entry: PutRecordsResultEntry | undefined): Outcome {
  if (entry?.SequenceNumber !== undefined)
    return { status: 'delivered', receipt: `${entry.ShardId}:${entry.SequenceNumber}` };
  return { status: 'retry', error: classifyEntry(stream, entry?.ErrorCode ?? 'NoAnswer', entry?.ErrorMessage) };
}

function toOutcome(error: ReturnType<typeof classifyCall>): Outcome {
  if (error instanceof RetryLater) return { status: 'retry', error };
  return error instanceof NeverRetry ? { status: 'never', error } : { status: 'stop', error };
}

async function eachAtOnce<Item>(
  items: readonly Item[],
  limit: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
}

import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordsCommand,
  type PutRecordsResultEntry,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Resolved } from '../../core/deploy-time.ts';
import { NeverRetry, RetryLater, StopTask, show } from '../../core/errors.ts';
import { orderedDelivery, SPLIT } from '../ordered.ts';
import { failure } from '../outcome.ts';
import { LOCAL_CREDENTIALS, type Outcome, type Sink, type SinkEnvironment } from '../sink.ts';
import { classifyCall, classifyEntry } from './classify.ts';
import type { KinesisOptions } from './config.ts';
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

  async function putRecords(requests: readonly KinesisRequest[]): Promise<readonly Outcome[] | typeof SPLIT> {
    const { stream } = requests[0]!;
    checkStream(stream);
    client ??= connect();
    let entries: PutRecordsResultEntry[];
    try {
      const answer = await client.send(
        new PutRecordsCommand({ StreamName: stream, Records: requests.map(toEntry) }),
        // The client's own timeout ends with the response headers; without this signal, a body that stops half-way is awaited forever.
        { abortSignal: AbortSignal.timeout(CALL_MS) },
      );
      entries = answer.Records ?? [];
    } catch (error) {
      const verdicts = requests.map(({ isStreamRendered: isRendered }) =>
        classifyCall(error, { name: stream, isRendered }),
      );
      // Kinesis refuses a call for one bad record; only that record is to be dead-lettered.
      if (requests.length > 1 && verdicts[0] instanceof NeverRetry && verdicts[0].code === 'REJECTED') return SPLIT;
      return verdicts.map(failure);
    }
    return requests.map((_, i) => outcomeOf(stream, entries[i]));
  }

  async function describe(stream: string): Promise<string> {
    client ??= connect();
    const isRendered = stream.includes('${');
    const StreamName = isRendered ? SOME_STREAM : stream;
    checkStream(StreamName);
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
    deliver: orderedDelivery({
      orderKey: ({ stream, partitionKey }, order) => (order === 'strict' ? `${stream}\n${partitionKey}` : undefined),
      batching: {
        target: ({ stream }) => stream,
        bytes: ({ bytes }) => bytes,
        maxRequests: options.maxRecords,
        maxBytes: options.maxRequestBytes,
        // PutRecords keeps no order among the records of a call, and stores some of them when it refuses others.
        isAtomic: false,
      },
      maxConcurrency: options.inflightWindow,
      minTimeMs: CALL_MS,
      resendAfterMs: RESEND_AFTER_MS,
      send: putRecords,
    }),
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

/** Judges names that were unknown until deployment; others were judged at synth, or when they were rendered. @throws StopTask */
function checkStream(stream: string): void {
  const { isMet, expected } = RULES.stream;
  if (!isMet(stream)) throw new StopTask(`stream: got ${show(stream)}; expected ${expected}`);
}

function toEntry({ data, partitionKey, explicitHashKey }: KinesisRequest) {
  return {
    Data: data,
    PartitionKey: partitionKey,
    ...(explicitHashKey !== undefined && { ExplicitHashKey: explicitHashKey }),
  };
}

function outcomeOf(stream: string, entry: PutRecordsResultEntry | undefined): Outcome {
  if (entry?.SequenceNumber !== undefined)
    return { status: 'delivered', receipt: `${entry.ShardId}:${entry.SequenceNumber}` };
  return failure(classifyEntry(stream, entry?.ErrorCode ?? 'NoAnswer', entry?.ErrorMessage));
}

import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordsCommand,
  type PutRecordsResultEntry,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Resolved } from '../../core/deploy-time.ts';
import { NeverRetry, RetryLater, StopTask, show } from '../../core/errors.ts';
import { isRendered } from '../../core/jsonpath/expression.ts';
import { orderedDelivery, SPLIT } from '../ordered.ts';
import { failure } from '../outcome.ts';
import { LOCAL_CREDENTIALS, type Outcome, type Sink, type SinkEnvironment } from '../sink.ts';
import { classifyCall, classifyEntry } from './classify.ts';
import type { KinesisOptions } from './config.ts';
import { CONSTRAINTS } from './constraints.ts';
import type { KinesisRequest } from './render.ts';

// The SDK repeats a failed call once; further attempts are the task's retry policy.
const SDK_ATTEMPTS = 2;
const CONNECTION_TIMEOUT_MS = 2_000;
const REQUEST_TIMEOUT_MS = 8_000;
/** Waits before records that a call left over are sent again, in milliseconds, each shortened by up to half at random. */
const RESEND_AFTER_MS = [100, 300, 900];
/** Longest that a call may take; none is started with less time left. */
const CALL_MS = SDK_ATTEMPTS * REQUEST_TIMEOUT_MS + 1_000;

/** The stream of the connectivity test when a template names the streams. */
const SOME_STREAM = 'outflow-connectivity-test';
/** Answers about that stream that show that Kinesis is reachable and accepts the credentials. */
const REACHABLE = new Set(['ResourceNotFoundException', 'AccessDeniedException']);

/** The part of a Kinesis client that the sink uses. */
export type PutRecords = Pick<KinesisClient, 'send' | 'destroy'>;

/** Delivers to Kinesis Data Streams by PutRecords. Of a call, only records that Kinesis reports as failed are sent again. */
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
        // The client's timeout ends with the response headers; without this signal, a body that ends early is awaited forever.
        { abortSignal: AbortSignal.timeout(CALL_MS) },
      );
      entries = answer.Records ?? [];
    } catch (error) {
      const verdicts = requests.map(({ isStreamRendered }) =>
        classifyCall(error, { name: stream, isRendered: isStreamRendered }),
      );
      // Kinesis refuses a call for one bad record; only that record is to be dead-lettered.
      if (requests.length > 1 && verdicts[0] instanceof NeverRetry && verdicts[0].code === 'REJECTED') return SPLIT;
      return verdicts.map(failure);
    }
    return requests.map((_, i) => outcomeOf(stream, entries[i]));
  }

  async function describe(stream: string): Promise<string> {
    client ??= connect();
    const isNamedByMessage = isRendered(stream);
    const StreamName = isNamedByMessage ? SOME_STREAM : stream;
    checkStream(StreamName);
    try {
      const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
      const { StreamStatus = 'in an unknown state', OpenShardCount } = StreamDescriptionSummary ?? {};
      if (StreamStatus === 'ACTIVE' || StreamStatus === 'UPDATING')
        return `stream ${StreamName} is ${StreamStatus}, with ${OpenShardCount} open shards`;
      throw new RetryLater(`stream ${StreamName} is ${StreamStatus}`);
    } catch (error) {
      if (error instanceof RetryLater) throw error;
      // The streams' names are only known with each message.
      if (isNamedByMessage && REACHABLE.has((error as Error).name))
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
      // In sequence: DescribeStreamSummary has a quota of 20 calls a second per account.
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
  const { isMet, expected } = CONSTRAINTS.stream;
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

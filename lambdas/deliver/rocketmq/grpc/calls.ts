import { AsyncLocalStorage } from 'node:async_hooks';
import { Duplex } from 'node:stream';
import { ChannelCredentials, type ClientDuplexStream, type Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Endpoints } from 'rocketmq-client-nodejs';
import { MessagingServiceClient } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_grpc_pb.js';
import type {
  HeartbeatRequest,
  HeartbeatResponse,
  QueryRouteRequest,
  QueryRouteResponse,
  SendMessageRequest,
  SendMessageResponse,
  TelemetryCommand,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import type { Deadline } from '../../net/deadline.ts';
import { type CallName, NoAnswerError } from './errors.ts';

/**
 * How a producer's client calls its proxies, in place of the client's own way, which takes no certificate authority and no
 * deadline of ours, and leaves channels and streams behind when a server is away.
 */
export interface Calls {
  queryRoute(to: Endpoints, request: QueryRouteRequest, timeoutMs: number): Promise<QueryRouteResponse>;
  heartbeat(to: Endpoints, request: HeartbeatRequest, timeoutMs: number): Promise<HeartbeatResponse>;
  sendMessage(to: Endpoints, request: SendMessageRequest, timeoutMs: number): Promise<SendMessageResponse>;
  telemetry(to: Endpoints, metadata: Metadata): TelemetryStream;
  /** Ends all that is under way, for good: what is asked for later is never answered. */
  close(): void;
}

export interface CallsOptions {
  readonly tls: { readonly ca?: string | Buffer } | false;
  /** Who we are, signed for one call. */
  readonly metadata: () => Metadata;
}

type TelemetryStream = ClientDuplexStream<TelemetryCommand, TelemetryCommand>;
type Answer<Response> = (error: ServiceError | null, response: Response) => void;

/** What is called within it ends by its deadline: the client hands on nothing but a timeout of its own. */
export const within = new AsyncLocalStorage<Deadline>();

const CHANNEL = {
  // A new client has new connections, whatever an old one has come to.
  'grpc.use_local_subchannel_pool': 1,
  // By default, two minutes in the end.
  'grpc.max_reconnect_backoff_ms': 2_000,
};

export function openCalls({ tls, metadata }: CallsOptions): Calls {
  const channels = new Map<string, MessagingServiceClient>();
  const streams = new Set<TelemetryStream>();
  const credentials =
    tls === false ? ChannelCredentials.createInsecure() : ChannelCredentials.createSsl(bytesOf(tls.ca));
  let isClosed = false;

  function channelTo(endpoints: Endpoints): MessagingServiceClient {
    let channel = channels.get(endpoints.facade);
    if (channel === undefined) {
      channel = new MessagingServiceClient(targetOf(endpoints), credentials, CHANNEL);
      channels.set(endpoints.facade, channel);
    }
    return channel;
  }

  function call<Response>(
    name: CallName,
    to: Endpoints,
    timeoutMs: number,
    start: (channel: MessagingServiceClient, deadline: number, answer: Answer<Response>) => void,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (isClosed) throw new Error('the client is closed');
      start(channelTo(to), Date.now() + timeoutMs, (error, response) => {
        if (error === null) resolve(response);
        else reject(new NoAnswerError(name, to.facade, error));
      });
    });
  }

  return {
    queryRoute: (to, request, timeoutMs) =>
      call('queryRoute', to, leftOf(timeoutMs), (channel, deadline, answer) =>
        channel.queryRoute(request, metadata(), { deadline }, answer),
      ),
    sendMessage: (to, request, timeoutMs) =>
      call('sendMessage', to, leftOf(timeoutMs), (channel, deadline, answer) =>
        channel.sendMessage(request, metadata(), { deadline }, answer),
      ),
    heartbeat: (to, request, timeoutMs) =>
      call('heartbeat', to, timeoutMs, (channel, deadline, answer) =>
        channel.heartbeat(request, metadata(), { deadline }, answer),
      ),
    telemetry(to, signed) {
      // The client renews a stream that broke, on a timer that its shutdown forgets.
      if (isClosed) return silence();
      const stream = keepingErrors(channelTo(to).telemetry(signed));
      streams.add(stream);
      stream.once('close', () => streams.delete(stream));
      return stream;
    },
    close() {
      isClosed = true;
      for (const stream of streams) stream.cancel();
      for (const channel of channels.values()) channel.close();
      channels.clear();
    },
  };
}

/** What is left of the deadline that holds, and no more than the timeout. */
export function leftOf(timeoutMs: number): number {
  return Math.min(timeoutMs, within.getStore()?.leftMs() ?? timeoutMs);
}

function bytesOf(ca: string | Buffer | undefined): Buffer | undefined {
  return ca === undefined ? undefined : Buffer.from(ca);
}

/** As gRPC names it: several addresses of one server need their scheme. */
function targetOf({ facade, addressesList }: Endpoints): string {
  return addressesList.length > 1 ? `ipv4:${facade}` : facade;
}

/** The client takes all listeners off a stream before it has ended; without one, its last error would end the process. */
function keepingErrors(stream: TelemetryStream): TelemetryStream {
  const removeAll = stream.removeAllListeners.bind(stream);
  stream.removeAllListeners = (...event) => removeAll(...event).on('error', () => {});
  return stream;
}

function silence(): TelemetryStream {
  const stream = new Duplex({ objectMode: true, read() {}, write: (_chunk, _encoding, done) => done() });
  return stream as unknown as TelemetryStream;
}

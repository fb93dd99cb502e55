import {
  ChannelCredentials,
  type ClientDuplexStream,
  type ClientUnaryCall,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { MessagingServiceClient } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_grpc_pb.js';
import type {
  AckMessageRequest,
  AckMessageResponse,
  HeartbeatRequest,
  HeartbeatResponse,
  QueryRouteRequest,
  QueryRouteResponse,
  ReceiveMessageRequest,
  ReceiveMessageResponse,
  SendMessageRequest,
  SendMessageResponse,
  TelemetryCommand,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import type { Deadline } from '../../../net/deadline.ts';
import { type CallName, NoAnswerError } from './errors.ts';
import { type Identity, metadataOf } from './metadata.ts';
import type { Server } from './route.ts';

/** Calls proxies, over one connection to each. A call rejects with a NoAnswerError when no proxy answers by its deadline. */
export interface Calls {
  readonly queryRoute: Call<QueryRouteRequest, QueryRouteResponse>;
  readonly heartbeat: Call<HeartbeatRequest, HeartbeatResponse>;
  readonly sendMessage: Call<SendMessageRequest, SendMessageResponse>;
  readonly receiveMessage: Call<ReceiveMessageRequest, readonly ReceiveMessageResponse[]>;
  readonly ackMessage: Call<AckMessageRequest, AckMessageResponse>;
  /** Emits 'status' once, when the stream has ended for whatever reason. */
  telemetry(to: Server): TelemetryStream;
  /** Cancels calls and streams, and closes the connections. Later calls reject. */
  close(): void;
}

export interface CallsOptions extends Identity {
  /** `ca`: certificate authorities in PEM. @default - those that Node trusts */
  readonly tls: { readonly ca?: string | Buffer } | false;
}

export type TelemetryStream = ClientDuplexStream<TelemetryCommand, TelemetryCommand>;
type Call<Request, Response> = (to: Server, request: Request, deadline: Deadline) => Promise<Response>;
/** What generated methods take. */
type Args<Request, Response> = [
  request: Request,
  metadata: Metadata,
  options: { readonly deadline: number },
  done: (error: ServiceError | null, response: Response) => void,
];

const CHANNEL = {
  // A new client gets new connections, whatever state those of another client are in.
  'grpc.use_local_subchannel_pool': 1,
  // gRPC's default is two minutes.
  'grpc.max_reconnect_backoff_ms': 2_000,
  // A received message of the largest size is larger than gRPC's default, 4 MiB.
  'grpc.max_receive_message_length': 8 * 1024 * 1024,
};

export function openCalls({ tls, ...identity }: CallsOptions): Calls {
  const clients = new Map<string, MessagingServiceClient>();
  const active = new Set<{ cancel(): void }>();
  const credentials =
    tls === false
      ? ChannelCredentials.createInsecure()
      : ChannelCredentials.createSsl(tls.ca === undefined ? null : Buffer.from(tls.ca));
  let isClosed = false;

  function clientOf({ address }: Server): MessagingServiceClient {
    if (isClosed) throw new Error('the client is closed');
    let client = clients.get(address);
    if (client === undefined) {
      // Several addresses of one server need a scheme (grpc.io, Name resolution).
      const target = address.includes(',') ? `ipv4:${address}` : address;
      client = new MessagingServiceClient(target, credentials, CHANNEL);
      clients.set(address, client);
    }
    return client;
  }

  function unary<Request, Response>(
    name: CallName,
    start: (client: MessagingServiceClient, ...args: Args<Request, Response>) => ClientUnaryCall,
  ): Call<Request, Response> {
    return (to, request, deadline) =>
      new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + deadline.leftMs() };
        const call = start(clientOf(to), request, metadataOf(identity), options, (error, response) => {
          active.delete(call);
          if (error === null) resolve(response);
          else reject(new NoAnswerError(name, to.address, error));
        });
        active.add(call);
      });
  }

  function receiveMessage(to: Server, request: ReceiveMessageRequest, deadline: Deadline) {
    return new Promise<readonly ReceiveMessageResponse[]>((resolve, reject) => {
      const options = { deadline: Date.now() + deadline.leftMs() };
      const stream = clientOf(to).receiveMessage(request, metadataOf(identity), options);
      const responses: ReceiveMessageResponse[] = [];
      active.add(stream);
      stream.on('data', (response) => responses.push(response));
      stream.once('error', (error) => reject(new NoAnswerError('receiveMessage', to.address, error as ServiceError)));
      stream.once('end', () => resolve(responses));
      stream.once('status', () => active.delete(stream));
    });
  }

  return {
    receiveMessage,
    ackMessage: unary('ackMessage', (client, ...args) => client.ackMessage(...args)),
    queryRoute: unary('queryRoute', (client, ...args) => client.queryRoute(...args)),
    heartbeat: unary('heartbeat', (client, ...args) => client.heartbeat(...args)),
    sendMessage: unary('sendMessage', (client, ...args) => client.sendMessage(...args)),
    telemetry(to) {
      const stream = clientOf(to).telemetry(metadataOf(identity));
      active.add(stream);
      stream.once('status', () => active.delete(stream));
      return stream;
    },
    close() {
      isClosed = true;
      for (const call of active) call.cancel();
      for (const client of clients.values()) client.close();
    },
  };
}

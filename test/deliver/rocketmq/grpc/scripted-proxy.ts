import { promisify } from 'node:util';
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import {
  Address,
  AddressScheme,
  Broker,
  Code,
  Endpoints,
  MessageQueue,
  MessageType,
  Permission,
  Resource,
  type Settings,
  Status,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import { MessagingServiceService } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_grpc_pb.js';
import {
  HeartbeatResponse,
  type QueryRouteRequest,
  QueryRouteResponse,
  type SendMessageRequest,
  SendMessageResponse,
  SendResultEntry,
  type TelemetryCommand,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import { parseAddress } from '../../../../lambdas/net/address.ts';

/** A message as it arrived, and who sent it. */
export interface ReceivedMessage {
  readonly body: string;
  readonly topic: string;
  readonly namespace: string;
  readonly group: string | undefined;
  readonly messageId: string;
  readonly clientId: string;
  /** Address of the connection's other end. */
  readonly peer: string;
  /** The signature's access key, when the call is signed. */
  readonly accessKey: string | undefined;
}

/** A telemetry stream that a client opened. */
export interface Session {
  readonly clientId: string;
  /** What the client wrote. */
  readonly settings: Settings[];
  write(command: TelemetryCommand): void;
  end(): void;
}

export interface ScriptedProxy {
  /** 'host:port' */
  readonly endpoint: string;
  /** In the order in which they came. */
  readonly sends: readonly ReceivedMessage[];
  /** All telemetry streams, in the order in which they were opened. */
  readonly sessions: readonly Session[];
  /** Names of the topics whose routes were queried. */
  readonly routeQueries: readonly string[];
  readonly heartbeats: () => number;
  close(): void;
}

export interface ProxyOptions {
  /** 'host:port' that routes name for the broker. @default - the proxy's own */
  readonly advertised?: () => string;
  /** Whether each queue of a topic is writable. @default - one queue, which is */
  readonly writable?: () => readonly boolean[];
  /** The message types that routes name. @default - messages with and without a group */
  readonly types?: readonly MessageType[];
  /** Answers each heartbeat, with a code of the protocol. @default - 20000 */
  readonly heartbeat?: () => number;
}

/** A proxy of RocketMQ 5 that has every topic. @param react Answers each send, with a code of the protocol. */
export async function scriptedProxy(
  react: (message: ReceivedMessage) => number | Promise<number>,
  options: ProxyOptions = {},
): Promise<ScriptedProxy> {
  const { advertised, writable = () => [true], types = [MessageType.NORMAL, MessageType.FIFO] } = options;
  const server = new Server();
  const sends: ReceivedMessage[] = [];
  const sessions: Session[] = [];
  const routeQueries: string[] = [];
  let heartbeats = 0;
  const status = (code: number) => new Status().setCode(code as Code).setMessage(`code ${code}`);
  const OK = status(Code.OK);
  server.addService(MessagingServiceService as never, {
    queryRoute({ request }: ServerUnaryCall<QueryRouteRequest, QueryRouteResponse>, answer: sendUnaryData<object>) {
      routeQueries.push(request.getTopic()!.getName());
      const queues = writable().map((isWritable, id) =>
        new MessageQueue()
          .setId(id)
          .setTopic(new Resource().setName(request.getTopic()!.getName()))
          .setPermission(isWritable ? Permission.READ_WRITE : Permission.READ)
          .setBroker(new Broker().setName('broker-a').setEndpoints(endpoints(advertised?.() ?? endpoint)))
          .setAcceptMessageTypesList([...types]),
      );
      answer(null, new QueryRouteResponse().setStatus(OK).setMessageQueuesList(queues));
    },
    async sendMessage(call: ServerUnaryCall<SendMessageRequest, SendMessageResponse>, answer: sendUnaryData<object>) {
      const [message] = call.request.getMessagesList();
      const system = message!.getSystemProperties()!;
      const received: ReceivedMessage = {
        body: Buffer.from(message!.getBody_asU8()).toString(),
        topic: message!.getTopic()!.getName(),
        namespace: message!.getTopic()!.getResourceNamespace(),
        group: system.getMessageGroup(),
        messageId: system.getMessageId(),
        clientId: clientIdOf(call),
        peer: call.getPeer(),
        accessKey: /Credential=([^,]*)/.exec(String(call.metadata.get('authorization')[0]))?.[1],
      };
      sends.push(received);
      const code = status(await react(received));
      // A proxy leaves the id out of an answer that is not OK.
      const entry = new SendResultEntry().setStatus(code);
      if (code.getCode() === Code.OK) entry.setMessageId(system.getMessageId());
      answer(null, new SendMessageResponse().setStatus(code).setEntriesList([entry]));
    },
    heartbeat(_: unknown, answer: sendUnaryData<object>) {
      heartbeats++;
      answer(null, new HeartbeatResponse().setStatus(status(options.heartbeat?.() ?? Code.OK)));
    },
    telemetry(stream: ServerDuplexStream<TelemetryCommand, TelemetryCommand>) {
      const settings: Settings[] = [];
      stream.on('data', (command: TelemetryCommand) => settings.push(command.getSettings()!));
      stream.on('error', () => {});
      const clientId = clientIdOf(stream);
      sessions.push({ clientId, settings, write: (command) => stream.write(command), end: () => stream.end() });
    },
  });
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind('127.0.0.1:0', ServerCredentials.createInsecure());
  const endpoint = `127.0.0.1:${port}`;
  return { endpoint, sends, sessions, routeQueries, heartbeats: () => heartbeats, close: () => server.forceShutdown() };
}

function clientIdOf({ metadata }: { readonly metadata: Metadata }): string {
  return String(metadata.get('x-mq-client-id')[0]);
}

function endpoints(hostAndPort: string): Endpoints {
  const { host, port } = parseAddress(hostAndPort)!;
  const address = new Address().setHost(host).setPort(port);
  return new Endpoints().setScheme(AddressScheme.IPV4).setAddressesList([address]);
}

import { promisify } from 'node:util';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
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
  Status,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import { MessagingServiceService } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_grpc_pb.js';
import {
  HeartbeatResponse,
  NotifyClientTerminationResponse,
  type QueryRouteRequest,
  QueryRouteResponse,
  type SendMessageRequest,
  SendMessageResponse,
  SendResultEntry,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import { parseAddress } from '../../../../lambdas/deliver/net/address.ts';

/** A message as it came, and who sent it. */
export interface Asked {
  readonly body: string;
  readonly group: string | undefined;
  readonly messageId: string;
  readonly clientId: string;
  /** Address of the connection's other end. */
  readonly peer: string;
  /** Of the signature, where there is one. */
  readonly accessKey: string | undefined;
}

export interface ScriptedProxy {
  /** 'host:port' */
  readonly endpoint: string;
  /** In the order in which they came. */
  readonly sends: readonly Asked[];
  close(): void;
}

export interface ProxyOptions {
  /** 'host:port' that routes tell. @default - its own */
  readonly advertised?: () => string;
  /** Whether each queue of a topic takes messages. @default - one that does */
  readonly writable?: () => readonly boolean[];
  /** What routes say that topics take. @default - messages with and without a group */
  readonly types?: readonly MessageType[];
}

/** A proxy of RocketMQ 5 that knows every topic, and answers each send as it is told. @param react A code of the protocol, or one to wait for. */
export async function scriptedProxy(
  react: (asked: Asked) => number | Promise<number>,
  { advertised, writable = () => [true], types = [MessageType.NORMAL, MessageType.FIFO] }: ProxyOptions = {},
): Promise<ScriptedProxy> {
  const server = new Server();
  const sends: Asked[] = [];
  const status = (code: number) => new Status().setCode(code as Code).setMessage(`code ${code}`);
  const OK = status(Code.OK);
  server.addService(MessagingServiceService as never, {
    queryRoute({ request }: ServerUnaryCall<QueryRouteRequest, QueryRouteResponse>, answer: sendUnaryData<object>) {
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
      const asked: Asked = {
        body: Buffer.from(message!.getBody_asU8()).toString(),
        group: system.getMessageGroup(),
        messageId: system.getMessageId(),
        clientId: String(call.metadata.get('x-mq-client-id')[0]),
        peer: call.getPeer(),
        accessKey: /Credential=([^,]*)/.exec(String(call.metadata.get('authorization')[0]))?.[1],
      };
      sends.push(asked);
      const code = status(await react(asked));
      // Of what failed in some way, a proxy tells no id.
      const entry = new SendResultEntry().setStatus(code);
      if (code.getCode() === Code.OK) entry.setMessageId(system.getMessageId());
      answer(null, new SendMessageResponse().setStatus(code).setEntriesList([entry]));
    },
    heartbeat: (_: unknown, answer: sendUnaryData<object>) => answer(null, new HeartbeatResponse().setStatus(OK)),
    notifyClientTermination: (_: unknown, answer: sendUnaryData<object>) =>
      answer(null, new NotifyClientTerminationResponse().setStatus(OK)),
    telemetry() {},
  });
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind('127.0.0.1:0', ServerCredentials.createInsecure());
  const endpoint = `127.0.0.1:${port}`;
  return { endpoint, sends, close: () => server.forceShutdown() };
}

function endpoints(hostAndPort: string): Endpoints {
  const { host, port } = parseAddress(hostAndPort)!;
  const address = new Address().setHost(host).setPort(port);
  return new Endpoints().setScheme(AddressScheme.IPV4).setAddressesList([address]);
}

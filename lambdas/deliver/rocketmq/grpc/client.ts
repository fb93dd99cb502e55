import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Endpoints,
  MessageIdFactory,
  type MessageOptions,
  type MessageQueue,
  Producer,
  StatusChecker,
  TopicRouteData,
} from 'rocketmq-client-nodejs';
import type { Credentials } from '../credentials.ts';
import { type Calls, type CallsOptions, leftOf, openCalls } from './calls.ts';
import { CLIENT_NOT_KNOWN, NoAnswerError } from './errors.ts';
import { log } from './log.ts';
import { asStored } from './stored.ts';

/** One producer's client of a proxy, as it was opened: it keeps credentials and routes for as long as it lives. */
export interface Client {
  readonly proxy: Server;
  /** Bytes of a body that the proxy takes, as far as it has told. */
  readonly maxBodyBytes: number;
  /** Sends once. @returns the message's id. */
  send(message: MessageOptions): Promise<string>;
  /** Asks for a topic's route anew. @returns the brokers that take messages for it, and where. */
  route(topic: string): Promise<readonly Server[]>;
  /** Says to a server that we live; whether it knows us then shows. */
  beat(to: Endpoints): Promise<void>;
  /** Ends what is in flight, timers and streams. */
  close(): void;
}

export interface Server {
  readonly name: string;
  readonly endpoints: Endpoints;
}

export interface ClientOptions extends Pick<CallsOptions, 'tls'> {
  /** 'host:port' */
  readonly endpoint: string;
  readonly credentials: Credentials | undefined;
  readonly namespace: string | undefined;
  /** Of single calls. */
  readonly timeoutMs: number;
}

/** The client takes no less, and asks us what is left of a deadline before each call. */
const LEAST_TIMEOUT_MS = 1_000;
const KNOWN_AFTER_MS = 50;
/** WRITE and READ_WRITE of enum Permission of apache.rocketmq.v2. */
const WRITABLE: ReadonlySet<number> = new Set([3, 4]);

/** Opens a client without asking the server for anything: its first send finds out where to. */
export async function openClient(options: ClientOptions): Promise<Client> {
  makeMessageIdsUnique();
  const producer = new OneProxyProducer(options);
  try {
    await inTime(producer.startup(), options.timeoutMs);
  } catch (error) {
    producer.end();
    throw error;
  }
  return {
    proxy: producer.proxy,
    get maxBodyBytes() {
      return producer.publishingSettings.maxBodySizeBytes;
    },
    send: (message) => producer.sendOnce(message),
    route: (topic) => producer.route(topic),
    beat: (to) => producer.beat(to),
    close: () => producer.end(),
  };
}

class OneProxyProducer extends Producer {
  // The client's own is made of host, process and time, which are alike in Lambda's sandboxes.
  readonly #id = `outflow@${randomUUID()}`;

  constructor({ endpoint, credentials, namespace = '', tls, timeoutMs }: ClientOptions) {
    super({
      endpoints: endpoint,
      namespace,
      ...(credentials && { sessionCredentials: asSessionCredentials(credentials) }),
      requestTimeout: Math.max(LEAST_TIMEOUT_MS, timeoutMs),
      // A failure is judged by us, and not before it was tried again at once.
      maxAttempts: 1,
      logger: log,
      // No topics: with several, its startup may never end.
    });
    // Which types a topic takes, and whether that matters, the proxy knows; the client would learn it amid its first sends.
    Object.defineProperty(this.publishingSettings, 'isValidateMessageType', { value: () => false });
    this.rpcClientManager.close();
    const calls = openCalls({ tls, metadata: () => this.getRequestMetadata() });
    const sendMessage: Calls['sendMessage'] = async (to, request, timeoutMs) =>
      asStored(request, await calls.sendMessage(to, request, timeoutMs));
    Object.defineProperty(this, 'rpcClientManager', { value: { ...calls, sendMessage } });
  }

  async sendOnce(message: MessageOptions): Promise<string> {
    try {
      const { messageId } = await this.send(message);
      return messageId;
    } catch (error) {
      // It avoids a broker for good after one failure, even where the message was at fault.
      if (!(error instanceof NoAnswerError)) this.isolated.clear();
      throw error;
    }
  }

  get proxy(): Server {
    return { name: 'proxy', endpoints: this.endpoints };
  }

  async route(topic: string): Promise<Server[]> {
    this.topicRouteCache.delete(topic);
    return serversOf(await this.getRouteData(topic));
  }

  async beat(to: Endpoints): Promise<void> {
    // A server knows us by what a stream of its own says, which a heartbeat may overtake.
    this.getTelemetrySession(to).syncSettings();
    for (;;) {
      const answer = await this.rpcClientManager.heartbeat(
        to,
        this.wrapHeartbeatRequest(),
        leftOf(this.requestTimeout),
      );
      const status = answer.getStatus()?.toObject();
      if (status?.code !== CLIENT_NOT_KNOWN || leftOf(this.requestTimeout) <= KNOWN_AFTER_MS)
        return StatusChecker.check(status);
      await sleep(KNOWN_AFTER_MS);
    }
  }

  /** Its own shutdown does half of it when the server is away. */
  end(): void {
    // Nobody to say goodbye to: servers see it by the connections that close.
    this.topicRouteCache.clear();
    this.shutdown().catch((error) => log.warn('shutdown: %s', error));
    this.rpcClientManager.close();
  }

  override getRequestMetadata() {
    const metadata = super.getRequestMetadata();
    metadata.set('x-mq-client-id', this.#id);
    return metadata;
  }

  /** One queue of each broker that takes messages, as the first: the client looks at no other, and the proxy picks by itself. */
  protected override async getRouteData(topic: string): Promise<TopicRouteData> {
    const { messageQueues } = await super.getRouteData(topic);
    const ofBrokers = new Map(messageQueues.filter(isWritable).map((queue) => [queue.broker.name, queue]));
    if (ofBrokers.size === 0) {
      this.topicRouteCache.delete(topic);
      throw new Error(`no queue of topic ${topic} takes messages`);
    }
    return new TopicRouteData([...ofBrokers.values()].map((queue) => queue.toProtobuf().setId(0)));
  }

  /** Sends never look at what it brings, and a topic that is missing would be asked for without end. */
  protected override async updateRoutes(): Promise<void> {}
}

function asSessionCredentials({ accessKey, secretKey, securityToken }: Credentials) {
  return { accessKey, accessSecret: secretKey, ...(securityToken !== undefined && { securityToken }) };
}

function isWritable({ permission }: MessageQueue): boolean {
  return WRITABLE.has(permission);
}

function serversOf({ messageQueues }: TopicRouteData): Server[] {
  const brokers = new Map(messageQueues.map(({ broker }) => [broker.endpoints.facade, broker]));
  return [...brokers.values()];
}

/** Ids begin with the machine's network address, of which sandboxes have none, or the same. */
function makeMessageIdsUnique(): void {
  if (Object.getOwnPropertyDescriptor(MessageIdFactory, 'MAC')?.get !== undefined) return;
  const address = randomBytes(6).toString('hex');
  // The client may find an address later, and set it.
  Object.defineProperty(MessageIdFactory, 'MAC', { get: () => address, set() {} });
}

async function inTime(starting: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the client did not start within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([starting, late]);
  } finally {
    clearTimeout(timer);
  }
}

import { randomUUID } from 'node:crypto';
import { unzipSync } from 'node:zlib';
import type { ServiceError } from '@grpc/grpc-js';
import durations from 'google-protobuf/google/protobuf/duration_pb.js';
import v2, { type Message, type MessageQueue } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import v2Service from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import { type Deadline, deadlineIn } from '../../../net/deadline.ts';
import type { ReadTopicOptions, TopicMessage } from '../topic-message.ts';
import { type Calls, openCalls } from './calls.ts';
import { endpointsOf } from './client.ts';
import { checkStatus, NoAnswerError } from './errors.ts';
import { type GrpcProducerOptions, withDefaults } from './options.ts';
import { addressOf, type Server } from './route.ts';
import { describeClient } from './telemetry.ts';

export interface ReadGroupOptions extends ReadTopicOptions {
  /** Consumer group, which has to exist. The messages that are read are consumed by it. */
  readonly consumerGroup: string;
}

/** The shortest that proxies accept by default (setting grpcClientConsumerMinLongPollingTimeoutMillis). */
const LONG_POLLING_SECONDS = 5;
/** For an acknowledgement, which follows the messages. */
const INVISIBLE_SECONDS = 30;
/** A function's response has at most 6 MB (AWS Lambda, "Quotas"), and what does not fit must not be consumed. */
const MAX_BYTES = 4_500_000;
const MAX_RECEIVED = 32;
const READABLE: ReadonlySet<number> = new Set([v2.Permission.READ, v2.Permission.READ_WRITE]);

/**
 * Reads a topic through a proxy, as a consumer of a group: proxies have no call that reads without one. It reads what the group has not
 * consumed yet, up to the end of the topic now.
 *
 * @returns the messages, at most `limit` or about 4.5 MB. The group has consumed these, and those from before `since`.
 * @throws NoAnswerError, RefusedError
 */
export async function readByGroup(
  options: GrpcProducerOptions,
  topic: string,
  reading: ReadGroupOptions,
): Promise<TopicMessage[]> {
  const { endpoints, credentials, tls, namespace, clock } = withDefaults(options);
  const deadline = deadlineIn(reading.timeoutMs ?? 30_000, clock);
  const identity = {
    clientId: `outflow@${randomUUID()}`,
    namespace,
    credentials: await credentials?.({ refresh: true }),
  };
  let failure: unknown;
  for (const endpoint of endpoints) {
    const calls = openCalls({ ...identity, tls });
    try {
      return await readFrom(calls, { endpoint, namespace, topic, deadline, ...reading });
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      failure = error;
    } finally {
      calls.close();
    }
  }
  throw failure;
}

interface Reading extends ReadGroupOptions {
  readonly endpoint: string;
  readonly namespace: string;
  readonly topic: string;
  readonly deadline: Deadline;
}

async function readFrom(calls: Calls, reading: Reading): Promise<TopicMessage[]> {
  const { endpoint, topic, limit, since, deadline } = reading;
  const request = new v2Service.QueryRouteRequest()
    .setTopic(resource(reading, topic))
    .setEndpoints(endpointsOf(endpoint));
  const route = await calls.queryRoute({ name: 'proxy', address: endpoint }, request, deadline);
  checkStatus(endpoint, route.getStatus());
  const readable = route.getMessageQueuesList().filter((queue) => READABLE.has(queue.getPermission()));
  // A proxy receives from all queues of a broker, whichever of them it is given.
  const brokers = new Map(readable.map((queue) => [queue.getBroker()!.getName(), queue]));
  const found: TopicMessage[] = [];
  let leftBytes = MAX_BYTES;

  /** Takes messages until the answer is full, and acknowledges these alone. @returns false at the end of the topic, or when it is full */
  async function take(server: Server, queue: MessageQueue): Promise<boolean> {
    const received = await receive(calls, server, queue, Math.min(MAX_RECEIVED, limit - found.length), reading);
    const taken: Message[] = [];
    for (const message of received) {
      const read = topicMessage(server.name, message);
      if (read.storedAt >= since) {
        const bytes = bytesOf(read);
        if (found.length > 0 && bytes > leftBytes) break;
        leftBytes -= bytes;
        found.push(read);
      }
      taken.push(message);
    }
    if (taken.length > 0) await acknowledge(calls, server, taken, reading);
    return taken.length > 0 && taken.length === received.length;
  }

  try {
    for (const [name, queue] of brokers) {
      const server: Server = { name, address: addressOf(queue.getBroker()!) };
      await register(calls, server, reading);
      let goesOn = true;
      // Below the time of a poll, a proxy refuses the call.
      while (goesOn && found.length < limit && deadline.leftMs() >= 2_000 * LONG_POLLING_SECONDS)
        goesOn = await take(server, queue);
    }
  } catch (error) {
    // The group has consumed what was read so far.
    if (found.length === 0) throw error;
  }
  return found;
}

/** Opens the stream that makes a client known to a server, and waits for the server's settings. */
function register(calls: Calls, server: Server, reading: Reading): Promise<void> {
  const { endpoint, topic, consumerGroup, deadline } = reading;
  const every = new v2.SubscriptionEntry().setTopic(resource(reading, topic)).setExpression(everyTag());
  const settings = new v2.Settings()
    .setClientType(v2.ClientType.SIMPLE_CONSUMER)
    .setAccessPoint(endpointsOf(endpoint))
    .setUserAgent(describeClient())
    .setSubscription(
      new v2.Subscription()
        .setGroup(resource(reading, consumerGroup))
        .setSubscriptionsList([every])
        .setLongPollingTimeout(seconds(LONG_POLLING_SECONDS)),
    );
  const stream = calls.telemetry(server);
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => fail(new Error('no settings in time')), deadline.leftMs());
    const fail = (error: Error) => {
      clearTimeout(late);
      reject(
        /group not found/i.test(error.message)
          ? missingGroup(consumerGroup, error)
          : new NoAnswerError('telemetry', server.address, error as ServiceError),
      );
    };
    stream.on('data', (command) => {
      if (!command.hasSettings()) return;
      clearTimeout(late);
      resolve();
    });
    stream.on('error', fail);
    stream.on('end', () => fail(new Error('the stream ended')));
    stream.write(new v2Service.TelemetryCommand().setSettings(settings));
  });
}

/** Receives messages. @returns none at the end of the topic. */
async function receive(
  calls: Calls,
  server: Server,
  queue: MessageQueue,
  batchSize: number,
  reading: Reading,
): Promise<Message[]> {
  const { consumerGroup, deadline } = reading;
  const request = new v2Service.ReceiveMessageRequest()
    .setGroup(resource(reading, consumerGroup))
    .setMessageQueue(queue)
    .setFilterExpression(everyTag())
    .setBatchSize(batchSize)
    .setInvisibleDuration(seconds(INVISIBLE_SECONDS))
    .setLongPollingTimeout(seconds(LONG_POLLING_SECONDS));
  const responses = await calls.receiveMessage(server, request, deadline);
  for (const response of responses) {
    const status = response.getStatus();
    if (status?.getCode() === v2.Code.CONSUMER_GROUP_NOT_FOUND) throw missingGroup(consumerGroup);
    if (status?.getCode() !== v2.Code.MESSAGE_NOT_FOUND) checkStatus(server.address, status);
  }
  return responses.flatMap((response) => response.getMessage() ?? []);
}

/** Acknowledges messages. Others are received again after {@link INVISIBLE_SECONDS}. */
async function acknowledge(
  calls: Calls,
  server: Server,
  messages: readonly Message[],
  reading: Reading,
): Promise<void> {
  const { topic, consumerGroup, deadline } = reading;
  const entries = messages.map((message) => {
    const system = message.getSystemProperties()!;
    return new v2Service.AckMessageEntry()
      .setMessageId(system.getMessageId())
      .setReceiptHandle(system.getReceiptHandle()!);
  });
  const ack = new v2Service.AckMessageRequest()
    .setGroup(resource(reading, consumerGroup))
    .setTopic(resource(reading, topic))
    .setEntriesList(entries);
  checkStatus(server.address, (await calls.ackMessage(server, ack, deadline)).getStatus());
}

/** Bytes of a message in the response of a function, where its body is base64. */
function bytesOf({ body, keys, tag, properties }: TopicMessage): number {
  return Math.ceil(body.length / 3) * 4 + Buffer.byteLength(JSON.stringify({ keys, tag, properties })) + 300;
}

function topicMessage(broker: string, message: Message): TopicMessage {
  const system = message.getSystemProperties()!;
  const group = system.getMessageGroup();
  const body = Buffer.from(message.getBody_asU8());
  return {
    broker,
    queueId: system.getQueueId(),
    offset: system.getQueueOffset() ?? 0,
    storedAt: system.getStoreTimestamp()?.toDate().getTime() ?? 0,
    keys: system.getKeysList().join(' ') || undefined,
    tag: system.getTag() || undefined,
    properties: {
      ...Object.fromEntries(message.getUserPropertiesMap().getEntryList()),
      // As brokers name them.
      UNIQ_KEY: system.getMessageId(),
      ...(group && { __SHARDINGKEY: group }),
    },
    body: system.getBodyEncoding() === v2.Encoding.GZIP ? unzipSync(body) : body,
  };
}

function missingGroup(group: string, cause?: Error): Error {
  const create = `mqadmin updateSubGroup -n <name server> -c <cluster> -g ${group}`;
  return new Error(
    `consumer group ${group} does not exist; create it (${create}), or name another that no consumer uses with --consumer-group`,
    { cause },
  );
}

function resource({ namespace }: Reading, name: string) {
  return new v2.Resource().setName(name).setResourceNamespace(namespace);
}

function everyTag() {
  return new v2.FilterExpression().setType(v2.FilterType.TAG).setExpression('*');
}

function seconds(count: number) {
  return new durations.Duration().setSeconds(count);
}

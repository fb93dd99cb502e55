import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import kinesalite from 'kinesalite';
import { LOCAL_CREDENTIALS } from '../../lambdas/deliver/sink.ts';
import { serveBothVersions } from './http-versions.ts';
import { REGION } from './resolve.ts';

/** The embedded emulator takes requests of 7 MiB, and data travels as base64 in them. */
export const EMULATOR_MAX_REQUEST_BYTES = 5 * 1024 * 1024;

/** A Kinesis API on loopback, in memory. */
export interface LocalKinesis {
  readonly endpointUrl: string;
  readonly client: KinesisClient;
  /** Makes a stream of one shard, ready to use; nothing happens when it is there. */
  createStream(name: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the embedded emulator. It takes HTTP/1.1 and HTTP/2, so any client of the AWS SDK reaches it by its endpoint alone:
 * `new KinesisClient({ endpoint })`.
 */
export async function startKinesis(): Promise<LocalKinesis> {
  const emulator = kinesalite({ createStreamMs: 0, deleteStreamMs: 0, updateStreamMs: 0, shardLimit: 1_000 });
  // The emulator throws when a client disconnects during a request, where no handler can catch it.
  emulator.on('request', (request) => request.removeAllListeners('error').on('error', () => {}));
  const { server, close } = serveBothVersions(emulator);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpointUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const local = connectKinesis(endpointUrl);
  return {
    ...local,
    async close() {
      await local.close();
      await close();
    },
  };
}

/** A Kinesis API that runs elsewhere, such as LocalStack's. */
export function connectKinesis(endpointUrl: string): LocalKinesis {
  const client = new KinesisClient({
    endpoint: endpointUrl,
    region: REGION,
    credentials: LOCAL_CREDENTIALS,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 2_000,
      requestTimeout: 30_000,
      throwOnRequestTimeout: true,
    }),
  });
  return {
    endpointUrl,
    client,
    async createStream(name) {
      try {
        await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: 1 }));
      } catch (error) {
        if ((error as Error).name !== 'ResourceInUseException') throw error;
      }
      for (;;) {
        const answer = await client.send(new DescribeStreamSummaryCommand({ StreamName: name }));
        if (answer.StreamDescriptionSummary?.StreamStatus === 'ACTIVE') return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async close() {
      client.destroy();
    },
  };
}

/** Puts single records: those of one partition key one after the other, in the order in which they were given. */
export function putInOrder(
  client: Pick<KinesisClient, 'send'>,
): (streamName: string, partitionKey: string, data: Uint8Array) => Promise<void> {
  const underWay = new Map<string, Promise<void>>();
  return (StreamName, PartitionKey, Data) => {
    const key = `${StreamName}\n${PartitionKey}`;
    const put = async () => {
      await client.send(new PutRecordCommand({ StreamName, PartitionKey, Data }));
    };
    // One that fails is told to whoever gave it, and does not hold up the next.
    const done = (underWay.get(key) ?? Promise.resolve()).then(put, put).finally(() => {
      if (underWay.get(key) === done) underWay.delete(key);
    });
    underWay.set(key, done);
    return done;
  };
}

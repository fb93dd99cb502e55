import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  type KinesisClientConfig,
  PutRecordCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import kinesalite from 'kinesalite';
import { LOCAL_CREDENTIALS } from '../../lambdas/deliver/sink.ts';
import { serveBothVersions } from './http-versions.ts';
import { REGION } from './resolve.ts';

/** The most bytes of data in a request: the emulator accepts 7 MiB of JSON, in which data is base64. */
export const EMULATOR_MAX_REQUEST_BYTES = 5 * 1024 * 1024;

/** A Kinesis API on loopback, in memory. */
export interface LocalKinesis {
  readonly endpointUrl: string;
  readonly client: KinesisClient;
  /** Creates a stream with one shard, unless it exists, and waits until it is active. */
  createStream(name: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the embedded emulator. It speaks HTTP/1.1 and HTTP/2, so a client of the AWS SDK only needs its endpoint:
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

/** A client for emulators, which have no HTTP/2: the client's default. */
export function kinesisClient(config: KinesisClientConfig): KinesisClient {
  return new KinesisClient({
    ...config,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 2_000,
      requestTimeout: 30_000,
      throwOnRequestTimeout: true,
    }),
  });
}

/** Connects to a Kinesis API outside this process, such as LocalStack's. */
export function connectKinesis(endpointUrl: string): LocalKinesis {
  const client = kinesisClient({ endpoint: endpointUrl, region: REGION, credentials: LOCAL_CREDENTIALS });
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
        const response = await client.send(new DescribeStreamSummaryCommand({ StreamName: name }));
        if (response.StreamDescriptionSummary?.StreamStatus === 'ACTIVE') return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async close() {
      client.destroy();
    },
  };
}

/** Puts single records, and keeps the order of the calls among records of one partition key. */
export function putInOrder(
  client: Pick<KinesisClient, 'send'>,
): (streamName: string, partitionKey: string, data: Uint8Array) => Promise<void> {
  const lastPuts = new Map<string, Promise<void>>();
  return (StreamName, PartitionKey, Data) => {
    const key = `${StreamName}\n${PartitionKey}`;
    const put = async () => {
      await client.send(new PutRecordCommand({ StreamName, PartitionKey, Data }));
    };
    // A failed put rejects its own promise and does not prevent the next one.
    const current = (lastPuts.get(key) ?? Promise.resolve()).then(put, put).finally(() => {
      if (lastPuts.get(key) === current) lastPuts.delete(key);
    });
    lastPuts.set(key, current);
    return current;
  };
}

import { GetRecordsCommand, GetShardIteratorCommand, KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_CREDENTIALS } from '../../lambdas/deliver/sink.ts';
import { type LocalKinesis, startKinesis } from '../../localstack/one-process/kinesis.ts';

const STREAM = 'readings';

let kinesis: LocalKinesis;
/** With the request handler that the SDK chooses. */
let client: KinesisClient;
beforeAll(async () => {
  kinesis = await startKinesis();
  await kinesis.createStream(STREAM);
  client = new KinesisClient({ endpoint: kinesis.endpointUrl, region: 'us-east-1', credentials: LOCAL_CREDENTIALS });
});
afterAll(async () => {
  client.destroy();
  await kinesis.close();
});

describe('the embedded Kinesis', () => {
  it('answers a default client of the AWS SDK, which speaks HTTP/2', async () => {
    expect(client.config.requestHandler.metadata?.handlerProtocol).toBe('h2');
    const sent = Array.from({ length: 500 }, (_, i) => Buffer.from([i & 0xff, i >> 8, 0, 255]));
    const Records = sent.map((Data, i) => ({ PartitionKey: `k${i}`, Data }));
    expect(await client.send(new PutRecordsCommand({ StreamName: STREAM, Records }))).toMatchObject({
      FailedRecordCount: 0,
    });
    const { ShardIterator } = await client.send(
      new GetShardIteratorCommand({
        StreamName: STREAM,
        ShardId: 'shardId-000000000000',
        ShardIteratorType: 'TRIM_HORIZON',
      }),
    );
    const read = await client.send(new GetRecordsCommand({ ShardIterator }));
    expect(read.Records?.map(({ Data }) => Buffer.from(Data!))).toEqual(sent);
  });
});

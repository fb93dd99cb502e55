import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordCommand,
  PutRecordsCommand,
} from '@aws-sdk/client-kinesis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_CREDENTIALS } from '../../lambdas/deliver/sink.ts';
import { type LocalKinesis, startKinesis } from '../../localstack/one-process/kinesis.ts';

const STREAM = 'readings';
const MIB = 1024 * 1024;

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

  it('refuses a request over its 7 MiB, and survives clients that disconnect during a request', async () => {
    const session = connectHttp2(kinesis.endpointUrl);
    const tooLarge = session.request({ ':method': 'POST' });
    tooLarge.on('error', () => {}).end(Buffer.alloc(7 * MIB + 1));
    const [headers] = await once(tooLarge, 'response');
    expect(headers[':status']).toBe(413);
    const cancelled = session.request({ ':method': 'POST' });
    await new Promise<void>((resolve) => cancelled.write('{', () => resolve()));
    cancelled.close(constants.NGHTTP2_CANCEL);
    await once(cancelled, 'close');
    const cutOff = session.request({ ':method': 'POST' });
    await new Promise<void>((resolve) => cutOff.write('{', () => resolve()));
    session.destroy();
    await once(session, 'close');
    const { port } = new URL(kinesis.endpointUrl);
    for (const bytes of [
      'PRI * nonsense\r\n\r\n',
      'P',
      'POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx',
      '\u0000\u0001',
    ]) {
      const socket = connect(Number(port), '127.0.0.1');
      await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
      socket.destroy();
    }

    await client.send(
      new PutRecordCommand({ StreamName: STREAM, PartitionKey: 'k', Data: Buffer.from('still there') }),
    );
  });
});

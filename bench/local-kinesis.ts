import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordCommand,
  PutRecordsCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { LOCAL_CREDENTIALS } from '../lambdas/deliver/sink.ts';
import { startKinesis } from '../localstack/one-process/kinesis.ts';
import { table } from './table.ts';

/**
 * How many records a local Kinesis takes and returns, by each version of HTTP: the embedded one in a process of its own, then those
 * at the endpoints given: `node --import tsx bench/local-kinesis.ts http://127.0.0.1:4568`.
 */
const ROUNDS = 3;
const BATCHES = 10;
const RECORDS = 500;
const SINGLES = 200;
const READ_LIMIT = 250;
const DATA = Buffer.alloc(256, 'x');
const MIB = 1024 * 1024;
const SELF = ['--no-warnings', '--import', 'tsx', fileURLToPath(import.meta.url)];

const [command, ...args] = process.argv.slice(2);
if (command === 'serve') {
  process.stdout.write((await startKinesis()).endpointUrl);
} else if (command === 'measure') {
  process.stdout.write(JSON.stringify(await measure(args[0]!, args[1]!)));
} else {
  const embedded = spawn(process.execPath, [...SELF, 'serve'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [url] = (await once(embedded.stdout, 'data')).map(String);
    const servers = [['embedded', url!], ...process.argv.slice(2).map((endpoint) => [endpoint, endpoint])];
    const rows = servers.flatMap(([name, endpoint]) =>
      ['HTTP/1.1', 'HTTP/2'].map((http) => [`${name}, ${http}`, ...inOwnProcess(endpoint!, http)]),
    );
    const head = [
      'server',
      'PutRecords/s, by round',
      'PutRecord/s',
      'GetRecords/s',
      'one of 1 MiB, ms',
      'of 2 MiB, ms',
    ];
    console.log(
      `\nrecords of ${DATA.length} bytes, ${RECORDS} in a PutRecords, one call at a time\n\n${table(head, rows)}`,
    );
  } finally {
    embedded.kill();
  }
}

/** A server's fault may end the client's whole process. */
function inOwnProcess(endpoint: string, http: string): string[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...SELF, 'measure', endpoint, http], {
    encoding: 'utf8',
  });
  if (status === 0) return JSON.parse(stdout);
  const [message = `exit code ${status}`] = /^\w*(?:Error|Exception)\b.*$/m.exec(stderr) ?? [];
  return [`failed: ${message}`, '', '', '', ''];
}

async function measure(endpoint: string, http: string): Promise<string[]> {
  const client = new KinesisClient({
    endpoint,
    region: 'us-east-1',
    credentials: LOCAL_CREDENTIALS,
    maxAttempts: 1,
    ...(http === 'HTTP/1.1' && { requestHandler: new NodeHttpHandler() }),
  });
  const StreamName = `bench-${Date.now()}`;
  try {
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1, MaxRecordSizeInKiB: 10_240 }));
    for (let status: string | undefined; status !== 'ACTIVE'; )
      status = (await client.send(new DescribeStreamSummaryCommand({ StreamName }))).StreamDescriptionSummary
        ?.StreamStatus;
    const Records = Array.from({ length: RECORDS }, (_, i) => ({ PartitionKey: `k${i}`, Data: DATA }));
    const rounds: number[] = [];
    for (let round = 0; round < ROUNDS; round++)
      rounds.push(
        await perSecond(BATCHES * RECORDS, async () => {
          for (let i = 0; i < BATCHES; i++) await client.send(new PutRecordsCommand({ StreamName, Records }));
        }),
      );
    const singles = await perSecond(SINGLES, async () => {
      for (let i = 0; i < SINGLES; i++)
        await client.send(new PutRecordCommand({ StreamName, PartitionKey: `k${i}`, Data: DATA }));
    });
    const stored = ROUNDS * BATCHES * RECORDS + SINGLES;
    const read = await perSecond(stored, async () => {
      const at = { StreamName, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' as const };
      let { ShardIterator } = await client.send(new GetShardIteratorCommand(at));
      for (let count = 0; count < stored; ) {
        const answer = await client.send(new GetRecordsCommand({ ShardIterator, Limit: READ_LIMIT }));
        if (!answer.Records!.every(({ Data }) => DATA.equals(Data!)))
          throw new Error(`${endpoint}: a record is damaged`);
        count += answer.Records!.length;
        ShardIterator = answer.NextShardIterator;
      }
    });
    const large = async (bytes: number) => {
      const startedAt = performance.now();
      try {
        await client.send(new PutRecordCommand({ StreamName, PartitionKey: 'k', Data: Buffer.alloc(bytes, 'x') }));
      } catch (error) {
        return `refused: ${(error as Error).name}`;
      }
      return (performance.now() - startedAt).toFixed(0);
    };
    return [
      rounds.map((rate) => rate.toFixed(0)).join(', '),
      singles.toFixed(0),
      read.toFixed(0),
      await large(MIB),
      await large(2 * MIB),
    ];
  } finally {
    client.destroy();
  }
}

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (count / (performance.now() - startedAt)) * 1_000;
}

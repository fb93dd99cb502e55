import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-kinesis';
import mqtt from 'mqtt';
import { countersText, untilInterrupted, watchCounters } from '../bin/commands/screen.ts';
import { synthesize } from '../bin/commands/synthesize.ts';
import { readAssembly } from '../localstack/one-process/assembly.ts';
import { type Run, run } from '../localstack/one-process/run.ts';

// Client id, topic, message and calls of the test in EMQX's Kinesis document.
const CLIENT_ID = 'emqx_c';
const TOPIC = 't/my_topic';
const MESSAGE = '{ "msg": "hello Amazon Kinesis" }';
const SHARD = 'shardId-000000000000';
const TIMEOUT_MS = 20_000;

const print = (label: string, text: string) => console.log(`${label.padEnd(13)}${text}`);

/** Synthesizes the example app, runs it in this process, and sends one message through it. `npm start` runs this file. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
  const assembly = mkdtempSync(join(tmpdir(), 'outflow-assembly-'));
  try {
    const started = Date.now();
    await synthesize(dirname(dirname(fileURLToPath(import.meta.url))), assembly);
    print('Synthesized', `bin/app.ts in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    let changed = () => {};
    const running = await run(readAssembly(assembly), { onBatch: () => changed() });
    try {
      await walkThrough(running);
      if (!values.once) {
        const counters = watchCounters(running.tasks, (line) => print('Counters', line));
        changed = counters.changed;
        await stayUp(running);
        await running.settle();
        counters.stop();
      }
    } finally {
      await running.close();
    }
  } finally {
    rmSync(assembly, { recursive: true, force: true });
  }
}

async function walkThrough({ broker, kinesis, streams, tasks }: Run): Promise<void> {
  const [stream] = streams;
  print('IoT Core', broker.url);
  print('Kinesis', `${kinesis.endpointUrl}  stream ${stream}, 1 shard`);
  const latest = await kinesis.client.send(
    new GetShardIteratorCommand({ StreamName: stream, ShardId: SHARD, ShardIteratorType: 'LATEST' }),
  );

  const device = await mqtt.connectAsync(broker.url, { clientId: CLIENT_ID, protocolVersion: 5 });
  await device.publishAsync(TOPIC, MESSAGE, { qos: 1 });
  await device.endAsync();
  print('Published', `${TOPIC} as ${CLIENT_ID}  ${MESSAGE}`);

  const { record, behind } = await firstRecord(kinesis, latest.ShardIterator);
  const data = Buffer.from(record.Data!);
  print('GetRecords', `${SHARD}, partition key ${record.PartitionKey}, ${behind} ms behind  ${data}`);
  if (!data.equals(Buffer.from(MESSAGE))) throw new Error(`the record differs from the published message: ${data}`);
  print('Equal', `${data.length} bytes published, the same ${data.length} bytes delivered`);
  // A reader may receive the record before the worker receives the answer to its PutRecords call.
  await Promise.all(tasks.flatMap(({ mappings }) => mappings.map((mapping) => mapping.settle())));
  for (const task of tasks) print('Counters', countersText(task));
  const [{ counters } = { counters: undefined }] = tasks;
  if (counters?.incoming !== 1 || counters.outgoing !== 1)
    throw new Error(`counters: got ${JSON.stringify(counters)}; expected 1 incoming and 1 outgoing message`);
}

async function firstRecord(kinesis: Run['kinesis'], iterator: string | undefined) {
  const deadline = Date.now() + TIMEOUT_MS;
  while (Date.now() < deadline) {
    const {
      Records = [],
      NextShardIterator,
      MillisBehindLatest,
    } = await kinesis.client.send(new GetRecordsCommand({ ShardIterator: iterator }));
    if (Records[0] !== undefined) return { record: Records[0], behind: MillisBehindLatest };
    iterator = NextShardIterator;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no record in the stream within ${TIMEOUT_MS / 1000} s`);
}

async function stayUp({ broker }: Run): Promise<void> {
  const interrupted = untilInterrupted();
  console.log(`
Running until Ctrl-C. Publish with any MQTT client, for example
  npx mqtt publish -h ${broker.host} -p ${broker.port} -i my_device -t t/hello -m '{ "temp": 21.5 }'
  mosquitto_pub -h ${broker.host} -p ${broker.port} -i my_device -t t/hello -m '{ "temp": 21.5 }'
and watch the counters.
`);
  await interrupted;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});

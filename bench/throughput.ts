import { strict as assert } from 'node:assert';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { KINESIS_ROUTED, kinesisOptions } from '../lambdas/deliver/kinesis/config.ts';
import { compileKinesis, type KinesisRequest } from '../lambdas/deliver/kinesis/render.ts';
import type { Outcome, Sink, SinkDefinition } from '../lambdas/deliver/sink.ts';
import { createHandler } from '../lambdas/worker/handler.ts';
import { context } from '../test/support/messages.ts';
import { WORKER_ENV } from '../test/support/task-queues.ts';
import { makeBatches, RECORDS } from './batches.ts';
import { createFloor } from './floor.ts';
import { median, table } from './table.ts';

/** Worker cost per record beside a hand-written function's. Bundled before it runs, as the deployed code is. */
const ROUNDS = 60;
const WARM_UP_ROUNDS = 15;

const filter = { data: { body: { temp: [{ numeric: ['>', 20] }] } } };
/** Steps that every record passes. */
const transform = Array.from({ length: 10 }, () => ({ filter: { data: { topic: [{ prefix: 'plant/' }] } } }));
const payload = '{"device":"${clientid}","temp":${payload.temp}}';

const plain = makeBatches(10);
const exact = makeBatches(10, '48.0');

interface Case {
  readonly name: string;
  readonly run: (event: SQSEvent) => Promise<SQSBatchResponse>;
  readonly batches: readonly SQSEvent[];
}

const cases: readonly Case[] = [
  { name: 'floor: parse, if, literal, stringify', run: createFloor(instantSink()), batches: plain },
  { name: 'filter + template', run: worker({ filter, payload }), batches: plain },
  { name: 'filter + 10 more steps + template', run: worker({ filter, transform, payload }), batches: plain },
  { name: 'filter + template, a number such as 48.0', run: worker({ filter, payload }), batches: exact },
  { name: 'template, no filter', run: worker({ payload }), batches: plain },
  { name: 'pass-through `${payload}`', run: worker({ payload: '${payload}' }), batches: plain },
  { name: 'blank template: the whole rule output', run: worker({ payload: '' }), batches: plain },
];

/** The real handler, with Kinesis' own options and rendering, and a sink that answers at once. */
function worker(
  { payload, ...rest }: { filter?: object; transform?: object[]; payload: string },
  sink: Sink<KinesisRequest> = instantSink(),
): Case['run'] {
  const definition: SinkDefinition<typeof kinesisOptions, KinesisRequest> = {
    type: 'kinesis',
    options: kinesisOptions,
    routed: KINESIS_ROUTED,
    compile: compileKinesis,
    open: () => sink,
    target: ({ stream }) => stream,
    show: (request) => ({ ...request }),
  };
  const handler = createHandler(definition, {
    spec: {
      v: 1,
      task: 'Bench',
      source: { type: 'iot-core', filters: ['plant/+/devices/+/telemetry'] },
      ...rest,
      sink: { type: 'kinesis', stream: 'telemetry', partitionKey: '${clientid}', payload },
    },
    env: WORKER_ENV,
    queues: {
      deadLetters: { send: () => assert.fail('nothing here should be dead-lettered') },
      buffer: () => ({
        requeue: { send: () => assert.fail('nothing here should be retried') },
        remove: () => assert.fail('nothing here should be deleted early'),
        setVisibility: async (messages) => assert.equal(messages.length, 0),
      }),
      notifyControl: async () => {},
    },
    report: () => {},
  });
  return (event) => handler(event, context);
}

function instantSink<Request>(seen?: (requests: readonly Request[]) => void): Sink<Request> {
  const delivered: Outcome = { status: 'delivered' };
  return {
    async deliver(requests) {
      seen?.(requests);
      return requests.map(() => delivered);
    },
    testConnectivity: async () => 'always',
    close() {},
  };
}

/** The comparison is worth nothing unless both do the same. */
async function checkSameOutput(): Promise<void> {
  const wanted: string[] = [];
  const given: string[] = [];
  const floor = createFloor(instantSink((requests) => wanted.push(...requests)));
  const same = worker(
    { filter, payload },
    instantSink((requests) => given.push(...requests.map(({ data }) => Buffer.from(data).toString()))),
  );
  await floor(plain[0]!);
  await same(plain[0]!);
  assert.equal(wanted.length, RECORDS / 2);
  assert.deepEqual(given, wanted);
}

/** Microseconds per record. */
async function measure({ run, batches }: Case): Promise<number> {
  const started = performance.now();
  for (const batch of batches) await run(batch);
  return ((performance.now() - started) * 1_000) / (batches.length * RECORDS);
}

await checkSameOutput();
const samples: number[][] = cases.map(() => []);
for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
  // Each round starts with another case, so that no case always pays for the garbage of the same neighbour.
  for (let n = 0; n < cases.length; n++) {
    const i = (n + round + WARM_UP_ROUNDS) % cases.length;
    const micros = await measure(cases[i]!);
    if (round >= 0) samples[i]!.push(micros);
  }
}

const floor = samples[0]!;
console.log(`\nWorker, batches of ${RECORDS} records, ${ROUNDS} rounds\n`);
console.log(
  table(
    ['case', 'µs/record, min', 'median', '÷ floor, of the minima', 'median of rounds'],
    cases.map(({ name }, i) => {
      const micros = samples[i]!;
      const least = Math.min(...micros);
      const ratios = micros.map((value, round) => value / floor[round]!);
      return [name, least, median(micros), least / Math.min(...floor), median(ratios)].map((cell) =>
        typeof cell === 'string' ? cell : cell.toFixed(2),
      );
    }),
  ),
);

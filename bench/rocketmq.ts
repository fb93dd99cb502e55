import { execFileSync } from 'node:child_process';
import { rocketMqHome as home } from '../localstack/servers/rocketmq/install.mjs';
import { type RocketMq, startRocketMq } from '../localstack/servers/rocketmq/start.ts';
import type { ColdJob, Job, ProducerOptions, Rates, RatesJob } from './rocketmq/send.ts';
import { median, table } from './table.ts';

/** RocketMQ by name servers and by proxies, on real servers of this machine: `node --import tsx bench/rocketmq.ts`. */
const ROUNDS = 5;
const PROCESSES = 10;
const BUNDLE = '.cache/bench/rocketmq';
const COUNT = { batches: 30_000, singles: 10_000 };

// As the deployed code.
execFileSync(process.execPath, ['scripts/bundle.mjs', 'bench/rocketmq/send.ts', BUNDLE], { stdio: 'inherit' });
await onServer(5);
await onServer(4);

async function onServer(version: 4 | 5): Promise<void> {
  const names = ['batches-1', 'batches-16', 'singles', 'proxy', 'cold'];
  const mq = await startRocketMq({ home, version, topics: names.map((name) => ({ name })), isOptimized: true });
  try {
    const rows = measureRates(mq);
    console.log(`\nRocketMQ ${version === 5 ? '5.5.0' : '4.9.4'}, 256-byte bodies, median of ${ROUNDS} rounds\n`);
    for (const row of rows) row.push(await readBack(mq, row[0]!));
    console.log(
      table(
        ['case', 'messages/s', '÷ proxy', 'stored, keys'],
        rows.map(([, ...row]) => row),
      ),
    );
    if (version === 5) printCold(mq);
  } finally {
    await mq.close();
  }
}

function measureRates(mq: RocketMq): string[][] {
  const remoting = (topic: string, inFlight: number, batch: number): ProducerOptions => ({
    protocol: 'remoting',
    server: mq.nameServer,
    topic,
    inFlight,
    batch,
  });
  const cases = [
    {
      name: 'name servers, batches of 100, one at a time',
      options: remoting('batches-1', 1, 100),
      count: COUNT.batches,
    },
    {
      name: 'name servers, batches of 100, 16 at a time',
      options: remoting('batches-16', 16, 100),
      count: COUNT.batches,
    },
    { name: 'name servers, singles, 64 at a time', options: remoting('singles', 64, 1), count: COUNT.singles },
    ...(mq.endpoints === undefined
      ? []
      : [{ name: 'proxy, singles, 64 at a time', options: byProxy(mq.endpoints, 'proxy', 64), count: COUNT.singles }]),
  ];
  const times = run<Rates>({ do: 'rates', rounds: ROUNDS, cases } satisfies RatesJob);
  const perSecond = cases.map(({ name, count }) => times[name]!.map((ms) => (count / ms) * 1_000));
  const proxy = mq.endpoints === undefined ? undefined : perSecond.at(-1)!;
  return cases.map(({ name, options }, i) => [
    options.topic,
    name,
    median(perSecond[i]!).toFixed(0),
    // Each round by the proxy's in that round.
    proxy === undefined ? '' : median(perSecond[i]!.map((rate, round) => rate / proxy[round]!)).toFixed(1),
  ]);
}

/** By RocketMQ's own consumer: how many there are, and how many keys. */
async function readBack(mq: RocketMq, topic: string): Promise<string> {
  const wanted = (ROUNDS + 1) * (topic.startsWith('batches') ? COUNT.batches : COUNT.singles);
  const stored = await mq.consume(topic, { count: wanted, timeoutMs: 120_000 });
  const keys = new Set(stored.map((message) => message.keys));
  const isAll = stored.length === wanted && keys.size === wanted;
  return `${isAll ? 'all' : 'NOT ALL'}: ${stored.length}, ${keys.size}`;
}

function printCold(mq: RocketMq): void {
  const producers: Record<string, ProducerOptions> = {
    'name servers': { protocol: 'remoting', server: mq.nameServer, topic: 'cold', inFlight: 1, batch: 100 },
    proxy: byProxy(mq.endpoints!, 'cold', 64),
  };
  const times = Object.keys(producers).map(() => [] as number[]);
  for (let n = -1; n < PROCESSES; n++) {
    for (const [i, options] of Object.values(producers).entries()) {
      const ms = run<number>({ do: 'cold', options } satisfies ColdJob);
      if (n >= 0) times[i]!.push(ms); // the first only warms the file cache
    }
  }
  const proxy = times.at(-1)!;
  console.log(`\nImport and first message, median of ${PROCESSES} fresh processes\n`);
  console.log(
    table(
      ['by', 'ms', '÷ proxy'],
      Object.keys(producers).map((name, i) => [
        name,
        median(times[i]!).toFixed(0),
        median(times[i]!.map((ms, n) => ms / proxy[n]!)).toFixed(2),
      ]),
    ),
  );
}

function byProxy(server: string, topic: string, inFlight: number): ProducerOptions {
  return { protocol: 'grpc', server, topic, inFlight, batch: 1 };
}

function run<Result>(job: Job): Result {
  const args = [`${BUNDLE}/index.mjs`, JSON.stringify(job)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

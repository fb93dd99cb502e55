import type { Message } from '../../lambdas/deliver/rocketmq/message.ts';

/** The half of the RocketMQ benchmark that is measured; bundled as deployed code is. Its arguments are those of `Job`, as JSON. */
export type Job = ColdJob | RatesJob;

export interface ColdJob {
  readonly do: 'cold';
  readonly options: ProducerOptions;
}

export interface RatesJob {
  readonly do: 'rates';
  readonly rounds: number;
  readonly cases: readonly { readonly name: string; readonly options: ProducerOptions; readonly count: number }[];
}

/** Options of a producer, and the topic that it sends to. */
export interface ProducerOptions {
  readonly protocol: 'remoting' | 'grpc';
  /** 'host:port' of a name server, or a proxy. */
  readonly server: string;
  readonly topic: string;
  readonly inFlight: number;
  /** By remoting only. */
  readonly batch: number;
}

/** Milliseconds of each round by the names of cases. */
export type Rates = Readonly<Record<string, readonly number[]>>;

const BODY_BYTES = 256;

const job = JSON.parse(process.argv[2]!) as Job;
const result = job.do === 'cold' ? await cold(job.options) : await rates(job);
// The open connections of the producers would keep the process alive.
process.stdout.write(JSON.stringify(result), () => process.exit());

/** Milliseconds from before the protocol is loaded until its first message is stored. */
async function cold(options: ProducerOptions): Promise<number> {
  const [message] = messages(1, `cold-${process.pid}`);
  const startedAt = performance.now();
  const producer = await open(options);
  await send(producer, options.topic, [message!]);
  return performance.now() - startedAt;
}

async function rates({ rounds, cases }: RatesJob): Promise<Rates> {
  const producers = await Promise.all(cases.map(({ options }) => open(options)));
  const times: Record<string, number[]> = Object.fromEntries(cases.map(({ name }) => [name, []]));
  // The first round only warms up, on both sides.
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < cases.length; turn++) {
      const i = (turn + round + 1) % cases.length;
      const { name, options, count } = cases[i]!;
      const all = messages(count, `${round}`);
      const startedAt = performance.now();
      await send(producers[i]!, options.topic, all);
      if (round >= 0) times[name]!.push(performance.now() - startedAt);
    }
  }
  return times;
}

async function open({ protocol, server, inFlight, batch }: ProducerOptions) {
  const timeoutMs = 30_000;
  if (protocol === 'grpc') {
    const { openGrpcProducer } = await import('../../lambdas/deliver/rocketmq/grpc/producer.ts');
    return openGrpcProducer({ endpoints: [server], maxInFlight: inFlight, timeoutMs });
  }
  const { openProducer } = await import('../../lambdas/deliver/rocketmq/remoting/producer.ts');
  return openProducer({ nameServers: [server], maxInFlight: inFlight, maxBatchMessages: batch, timeoutMs });
}

async function send(producer: Awaited<ReturnType<typeof open>>, topic: string, all: readonly Message[]): Promise<void> {
  const requests = all.map((message) => ({ topic, isTopicRendered: false, isTypeRendered: false, message }));
  const outcomes = await producer.deliver(requests, { remainingMs: () => 600_000 });
  const lost = outcomes.find(({ status }) => status !== 'delivered');
  if (lost !== undefined) throw new Error(`${topic}: ${'error' in lost ? lost.error.message : lost.status}`);
}

function messages(count: number, prefix: string): Message[] {
  const body = Buffer.alloc(BODY_BYTES, 'x');
  return Array.from({ length: count }, (_, i) => ({ body, keys: [`${prefix}-${i}`] }));
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningTask } from '../../localstack/one-process/task.ts';
import type { Toxic } from '../../localstack/servers/fault-proxy/start.ts';
import type { Ledger } from './ledger.ts';
import type { Draw } from './random.ts';
import { type Crash, type Rig, redrive } from './rig.ts';

/** A task under test: where it delivers, and its books. */
export interface Subject {
  readonly task: RunningTask;
  readonly stream: string;
  readonly ledger: Ledger;
}

export interface World {
  readonly rig: Rig;
  readonly subjects: readonly Subject[];
  /** Hears what is done, as it is done. */
  readonly tell: (what: string) => void;
}

/** Something that goes wrong for a while: it resolves once it is over, and all is well again. */
type Fault = (world: World, draw: Draw) => Promise<void>;

const CRASHES: readonly Crash[] = ['throwsFirst', 'throwsLast', 'hangsFirst', 'hangsLast'];

// No stream is deleted here: the emulator may never answer again for one that was deleted amid requests.
const onTheWay: Fault[] = [
  async ({ rig, tell }, draw) => {
    tell('way down');
    await rig.link.down();
    await forAWhile(draw);
    await rig.link.up();
  },
  ...(
    [
      () => ({ type: 'latency', latencyMs: 1_000, jitterMs: 900 }),
      () => ({ type: 'latency', latencyMs: 9_000 }),
      (draw) => ({ type: 'bandwidth', kilobytesPerSecond: draw.whole(1, 20), direction: 'upstream' }),
      () => ({ type: 'timeout', timeoutMs: 0 }),
      (draw) => ({ type: 'timeout', timeoutMs: draw.whole(50, 500), toxicity: 0.5 }),
      (draw) => ({ type: 'reset_peer', timeoutMs: draw.whole(0, 100), toxicity: 0.7 }),
      () => ({ type: 'slicer', averageBytes: 100, variationBytes: 60, delayUs: 100 }),
      (draw) => ({ type: 'limit_data', bytes: draw.whole(0, 3_000) }),
      (draw) => ({ type: 'limit_data', bytes: draw.whole(0, 3_000), direction: 'upstream' }),
    ] satisfies ((draw: Draw) => Toxic)[]
  ).map(
    (toxicOf): Fault =>
      async ({ rig, tell }, draw) => {
        const toxic = toxicOf(draw);
        tell(`way ${JSON.stringify(toxic)}`);
        await rig.link.add(toxic);
        await forAWhile(draw);
        await rig.link.clear();
      },
  ),
];

const inTheCloud: Fault[] = [
  ...CRASHES.map(
    (how): Fault =>
      async ({ rig, subjects, tell }, draw) => {
        const { task } = draw.oneOf(subjects);
        tell(`${task.name} ${how}`);
        rig.crash = (name) => (name === task.name && draw.next() < 0.5 ? how : undefined);
        await forAWhile(draw);
        rig.crash = () => undefined;
      },
  ),
  async ({ rig, tell }, draw) => {
    tell('dead-letter queues refuse');
    await refuse(rig, draw, (url) => /DeadLetter/.test(url));
  },
  async ({ rig, tell }, draw) => {
    tell('retry queues refuse');
    await refuse(rig, draw, (url) => /Retry/.test(url));
  },
  async ({ rig, tell }, draw) => {
    tell('every queue refuses one send in two');
    await refuse(rig, draw, () => draw.next() < 0.5);
  },
  async ({ subjects, tell }, draw) => {
    const { task } = draw.oneOf(subjects);
    tell(`${task.name} paused`);
    await task.control!.send({ kind: 'pause', task: task.name, stopIntake: false });
    await forAWhile(draw);
    await enable(task);
  },
  async ({ subjects, tell }) => {
    for (const { task } of subjects) tell(`${task.name}: ${redrive(task)} dead letters redriven`);
  },
  async ({ subjects, tell }) => {
    tell('every task enabled');
    for (const { task } of subjects) await enable(task);
  },
];

/** Lets things go wrong until it is told to stop, on the way to the sink and in the cloud at the same time, each fault in its turn. */
export async function torment(world: World, draw: Draw, isOver: () => boolean): Promise<void> {
  const lane = async (faults: readonly Fault[], own: Draw) => {
    while (!isOver()) {
      for (const fault of own.shuffled(faults)) {
        if (isOver()) return;
        await fault(world, own);
        await sleep(own.whole(200, 2_000));
      }
    }
  };
  await Promise.all([lane(onTheWay, draw.fork(1)), lane(inTheCloud, draw.fork(2))]);
}

/** Has its operator enable a task. */
export async function enable(task: RunningTask): Promise<void> {
  await task.control!.send({ kind: 'enable', task: task.name });
}

async function forAWhile(draw: Draw): Promise<void> {
  await sleep(draw.whole(1_000, 5_000));
}

async function refuse(rig: Rig, draw: Draw, which: (queueUrl: string) => boolean): Promise<void> {
  rig.refuses = which;
  await forAWhile(draw);
  rig.refuses = () => false;
}

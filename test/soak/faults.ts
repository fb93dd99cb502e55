import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningTask } from '../../localstack/one-process/task.ts';
import type { Toxic } from '../../localstack/servers/fault-proxy/start.ts';
import type { Ledger } from './ledger.ts';
import type { Draw } from './random.ts';
import { type Crash, type Rig, redrive } from './rig.ts';

/** A task under test, its stream and its ledger. */
export interface Subject {
  readonly task: RunningTask;
  readonly stream: string;
  readonly ledger: Ledger;
}

export interface FaultTargets {
  readonly rig: Rig;
  readonly subjects: readonly Subject[];
  /** Called with each fault when it begins. */
  readonly log: (what: string) => void;
}

/** A fault that lasts for a while. It resolves when the fault has been removed. */
type Fault = (targets: FaultTargets, draw: Draw) => Promise<void>;

const CRASHES: readonly Crash[] = ['throwsFirst', 'throwsLast', 'hangsFirst', 'hangsLast'];

// No stream is deleted here: the emulator may never answer for a stream that was deleted during requests.
const onTheLink: Fault[] = [
  async ({ rig, log }, draw) => {
    log('link down');
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
      async ({ rig, log }, draw) => {
        const toxic = toxicOf(draw);
        log(`link ${JSON.stringify(toxic)}`);
        await rig.link.add(toxic);
        await forAWhile(draw);
        await rig.link.clear();
      },
  ),
];

const inTheCloud: Fault[] = [
  ...CRASHES.map(
    (how): Fault =>
      async ({ rig, subjects, log }, draw) => {
        const { task } = draw.oneOf(subjects);
        log(`${task.name} ${how}`);
        rig.crash = (name) => (name === task.name && draw.next() < 0.5 ? how : undefined);
        await forAWhile(draw);
        rig.crash = () => undefined;
      },
  ),
  async ({ rig, log }, draw) => {
    log('dead-letter queues refuse');
    await refuse(rig, draw, (url) => /DeadLetter/.test(url));
  },
  async ({ rig, log }, draw) => {
    log('retry queues refuse');
    await refuse(rig, draw, (url) => /Retry/.test(url));
  },
  async ({ rig, log }, draw) => {
    log('every queue refuses one send in two');
    await refuse(rig, draw, () => draw.next() < 0.5);
  },
  async ({ subjects, log }, draw) => {
    const { task } = draw.oneOf(subjects);
    log(`${task.name} paused`);
    await task.control!.send({ kind: 'pause', task: task.name, stopIntake: false });
    await forAWhile(draw);
    await enable(task);
  },
  async ({ subjects, log }) => {
    for (const { task } of subjects) log(`${task.name}: ${redrive(task)} dead letters redriven`);
  },
  async ({ subjects, log }) => {
    log('every task enabled');
    for (const { task } of subjects) await enable(task);
  },
];

/** Injects faults until `isOver`, on the link to the sink and in the cloud at the same time, each fault in turn. */
export async function injectFaults(targets: FaultTargets, draw: Draw, isOver: () => boolean): Promise<void> {
  const inject = async (faults: readonly Fault[], own: Draw) => {
    while (!isOver()) {
      for (const fault of own.shuffled(faults)) {
        if (isOver()) return;
        await fault(targets, own);
        await sleep(own.whole(200, 2_000));
      }
    }
  };
  await Promise.all([inject(onTheLink, draw.fork(1)), inject(inTheCloud, draw.fork(2))]);
}

/** Enables a task, as its operator does. */
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

import { setTimeout as sleep } from 'node:timers/promises';
import mqtt from 'mqtt';
import { enable, injectFaults, type Subject } from './faults.ts';
import { type Balance, openLedger } from './ledger.ts';
import { publication } from './publication.ts';
import { drawsOf } from './random.ts';
import { held, type Rig, startRig } from './rig.ts';
import { type SoakTask, synthesizeTasks, topicOf } from './tasks.ts';

export interface SoakOptions {
  /** Duration of the faults. The buffers are drained afterwards. */
  readonly minutes: number;
  /** Decides messages and faults. */
  readonly seed: number;
  /** Messages a second that are published, all tasks together. @default 60 */
  readonly messagesPerSecond?: number;
  /** Called with a line for each event. @default no output */
  readonly log?: (line: string) => void;
}

const CLIENTS = 3;
const TICK_MS = 250;
/** Longer than a crash or a deferral delays a message. */
const MAX_DRAIN_MS = 5 * 60_000;

/**
 * Publishes to tasks in one process while faults are injected, then removes the faults and waits until nothing is buffered. The seed
 * decides the messages and the faults. Their relative timing depends on the machine.
 *
 * @returns the balance of each task
 */
export async function soak({ minutes, seed, messagesPerSecond = 60, log = () => {} }: SoakOptions): Promise<Balance[]> {
  const { tasks, stacks } = synthesizeTasks();
  const rig = await startRig(stacks);
  const started = Date.now();
  const logAt = (what: string) => log(`${((Date.now() - started) / 1000).toFixed(0).padStart(5)} s  ${what}`);
  try {
    const subjects = tasks.map(({ task, stream, reasons }): Subject => {
      const running = rig.task(task);
      return {
        task: running,
        stream,
        ledger: openLedger({ task: running, client: rig.kinesis.client, stream, reasons }),
      };
    });
    const isOver = () => Date.now() - started > minutes * 60_000;
    const [, published] = await Promise.all([
      injectFaults({ rig, subjects, log: logAt }, drawsOf(seed), isOver),
      publish({ rig, tasks, subjects, seed, messagesPerSecond, isOver }),
    ]);
    logAt(`${published} messages published; all faults removed`);
    await drain(subjects, logAt);
    return await Promise.all(subjects.map(({ ledger }) => ledger.balance()));
  } finally {
    await rig.close();
  }
}

interface Traffic extends Pick<Required<SoakOptions>, 'seed' | 'messagesPerSecond'> {
  readonly rig: Rig;
  readonly tasks: readonly SoakTask[];
  readonly subjects: readonly Subject[];
  readonly isOver: () => boolean;
}

/** Publishes at a steady rate, to each task in turn. @returns the number of acknowledged messages */
async function publish({ rig, tasks, subjects, seed, messagesPerSecond, isOver }: Traffic): Promise<number> {
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, (_, n) =>
      mqtt.connectAsync(rig.running.broker.url, { clientId: `device-${n}`, protocolVersion: 5 }),
    ),
  );
  let acknowledged = 0;
  const publishOne = async (n: number) => {
    const profile = tasks[n % tasks.length]!;
    const { ledger } = subjects[n % tasks.length]!;
    const message = publication(profile, seed, n);
    const client = clients[n % CLIENTS]!;
    ledger.published(message);
    await client.publishAsync(topicOf(profile.task, `device-${n % CLIENTS}`), message.payload, { qos: 1 });
    ledger.acknowledged(message.id);
    acknowledged++;
  };
  const started = Date.now();
  let n = 0;
  while (!isOver()) {
    const due = Math.floor(((Date.now() - started) / 1000) * messagesPerSecond);
    const some: Promise<void>[] = [];
    while (n < due) some.push(publishOne(n++));
    await Promise.all(some);
    await sleep(TICK_MS);
  }
  await Promise.all(clients.map((client) => client.endAsync()));
  return acknowledged;
}

/** Enables blocked tasks, as an operator does, until every buffer is empty. */
async function drain(subjects: readonly Subject[], log: (what: string) => void): Promise<void> {
  const deadline = Date.now() + MAX_DRAIN_MS;
  const left = () => subjects.reduce((sum, { task }) => sum + held(task.queue!) + held(task.retryQueue!), 0);
  for (const { task } of subjects) await enable(task);
  while (left() > 0 && Date.now() < deadline) {
    await sleep(1_000);
    for (const { task } of subjects) if (task.control!.state.status === 'Ready') await enable(task);
  }
  log(`${left()} messages are left in buffers`);
}

import type { Connectivity } from '../../lambdas/core/control-requests.ts';
import { type TaskState, type TaskStatus, withStatus } from '../../lambdas/core/task-state.ts';
import type { LetterQueue } from './letter-queue.ts';

/** Where tasks run, as the command sees it: AWS (or LocalStack in its place), or this process. */
export interface Cloud {
  /** The tasks, in the order of their stacks. @throws when none is there. */
  tasks(): Promise<readonly CloudTask[]>;
  close(): void;
}

/** What an operator may wish of a task. */
export type Wish = { readonly kind: 'enable' } | { readonly kind: 'pause'; readonly stopIntake: boolean };

/** A task that is deployed, or runs in this process. */
export interface CloudTask {
  readonly name: string;
  readonly stack: string;
  /** Path of its construct. */
  readonly path: string;
  /** Type of its sink. */
  readonly sink: string;
  /** Without a worker IoT Core delivers by itself: there is nothing to ask, and nothing to enable or pause. */
  readonly hasWorker: boolean;
  /** Topic filters that its rules serve. */
  readonly filters: readonly string[];
  /** Names of its rules. */
  readonly rules: readonly string[];
  status(): Promise<TaskReport>;
  /** Tells its control, and does not wait for what comes of it. @throws for a task without a worker. */
  ask(wish: Wish): Promise<void>;
  /** Asks the worker where it runs, with its own role and network. @throws for a task without a worker. */
  testConnectivity(): Promise<Connectivity>;
  /** How many dead letters its queue holds, about; undefined when the queue is unknown. */
  countLetters(): Promise<number | undefined>;
  /** Its dead letters. @throws when its dead-letter queue is unknown. */
  letters(): Promise<LetterQueue>;
  /**
   * Moves every dead letter to the task's queue by SQS's own move task; undefined where there is no such thing.
   *
   * @param ratePerSecond 1 to 500; undefined for as fast as SQS does it.
   * @throws when it fails half-way; what was not moved is still a dead letter.
   */
  readonly moveAll?: (ratePerSecond: number | undefined, onProgress: (moved: number) => void) => Promise<number>;
}

/** How a task is. Times in milliseconds since 1970. */
export interface TaskReport {
  readonly task: string;
  readonly stack: string;
  /** Undefined of a task without a worker: IoT Core delivers by itself. */
  readonly status: TaskStatus | undefined;
  /** Why it is Ready or Start Failed. */
  readonly cause: string | undefined;
  readonly since: number | undefined;
  /** Since when it does not run, whether its operator or its sink is the reason; undefined also if it never ran. */
  readonly stoppedAt: number | undefined;
  /** Its rules are off too. */
  readonly intakeStopped: boolean;
  /** Messages in its queue that nobody has taken yet; undefined of a task without a queue of its own stack. */
  readonly waiting: number | undefined;
  /** Messages that a worker has at this moment. */
  readonly inFlight: number;
  /** Messages that wait for their next try. */
  readonly retrying: number;
  /** Undefined when its dead-letter queue is unknown. */
  readonly deadLetters: number | undefined;
  /** Age of the oldest message in its queue; undefined where nobody tells. */
  readonly oldestSeconds: number | undefined;
  /** How long its queue keeps a message. */
  readonly retentionSeconds: number | undefined;
  /** States of its event source mappings in AWS Lambda's words, the batch push first. */
  readonly mappings: readonly string[];
}

/** What a queue holds. */
export interface QueueReport {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
  readonly retentionSeconds: number;
  readonly oldestSeconds?: number | undefined;
}

/** What was read of a task, as one report. */
export interface TaskReadings {
  readonly task: string;
  readonly stack: string;
  /** Undefined of a task without a worker. */
  readonly state: TaskState | undefined;
  readonly mappings: readonly string[];
  readonly queue: QueueReport | undefined;
  readonly retryQueue: QueueReport | undefined;
  readonly deadLetterQueue: QueueReport | undefined;
}

/** The state kept of a task, set right by what its mappings say now. */
export function reportOf(readings: TaskReadings, now: number): TaskReport {
  const { task, stack, mappings, queue, retryQueue, deadLetterQueue } = readings;
  const state = readings.state && withStatus(readings.state, mappings, now);
  const [from, to] = state?.stops.at(-1) ?? [];
  return {
    task,
    stack,
    status: state?.status,
    cause: state?.cause,
    since: state?.since || undefined,
    stoppedAt: to === null ? from || undefined : undefined,
    intakeStopped: state?.intakeStopped ?? false,
    waiting: queue && queue.visible + queue.delayed,
    inFlight: (queue?.inFlight ?? 0) + (retryQueue?.inFlight ?? 0),
    retrying: (retryQueue?.visible ?? 0) + (retryQueue?.delayed ?? 0),
    deadLetters: deadLetterQueue && held(deadLetterQueue),
    oldestSeconds: queue?.oldestSeconds,
    retentionSeconds: queue?.retentionSeconds,
    mappings,
  };
}

/** Messages that a queue holds, lent or not. */
export function held({ visible, inFlight, delayed }: QueueReport): number {
  return visible + inFlight + delayed;
}

/** Picks tasks by name, by path of the construct, or all of them. @throws naming those that there are. */
export function pick(tasks: readonly CloudTask[], name: string | undefined): readonly CloudTask[] {
  const found = tasks.filter((task) => name === undefined || task.name === name || task.path === name);
  if (found.length === 0) throw new Error(`no task ${name ?? ''}; there: ${pathsOf(tasks)}`);
  return found;
}

/** Picks one task. @throws when there is none of that name, or several. */
export function pickOne(tasks: readonly CloudTask[], name: string): CloudTask {
  const found = pick(tasks, name);
  if (found.length > 1)
    throw new Error(`${name} is the name of several tasks; name one by its path: ${pathsOf(found)}`);
  return found[0]!;
}

function pathsOf(tasks: readonly CloudTask[]): string {
  return tasks.map(({ path }) => path).join(', ') || 'none';
}

import type { ArrivedRecord, Connectivity, ReadResponse } from '../../lambdas/core/control-requests.ts';
import { type TaskState, type TaskStatus, withStatus } from '../../lambdas/core/task-state.ts';
import type { DeadLetterQueue } from './dead-letter-queue.ts';
import type { ReadOptions } from './stream-records.ts';
import type { MessageCounts, TaskMetrics } from './task-metrics.ts';

/** The place where tasks run: AWS, LocalStack, or this process. */
export interface Cloud {
  /** The tasks, in the order of their stacks. @throws if there is none. */
  tasks(): Promise<readonly CloudTask[]>;
  /** The queues that tasks of these stacks have left behind: the stack kept them, and no task uses them any more. */
  retainedQueues(): Promise<readonly RetainedQueue[]>;
  /**
   * Reads the numbers that CloudWatch has of tasks of this cloud, in their order; undefined for tasks of this process, whose reports
   * have them. A failure is a note, and leaves numbers out.
   */
  readonly readMetrics?: (tasks: readonly CloudTask[]) => Promise<readonly TaskMetrics[]>;
  close(): void;
}

/** A queue without a task: its task was renamed or removed, or has another buffer now. */
export interface RetainedQueue {
  readonly queueUrl: string;
  readonly stack: string;
  /** Name of the task that it belonged to. */
  readonly task: string;
  /** Approximate number of messages. */
  readonly messages: number;
}

/** An operator's request to a task. */
export type OperatorRequest =
  | { readonly kind: 'enable' }
  | { readonly kind: 'pause'; readonly stopIntake: boolean }
  /** `message` is the {@link TaskReport.blocker}. */
  | { readonly kind: 'skip'; readonly message: string };

/** A task that is deployed, or that runs in this process. */
export interface CloudTask {
  readonly name: string;
  readonly stack: string;
  /** Path of the task's construct. */
  readonly path: string;
  /** Type of the sink. */
  readonly sink: string;
  /** False for a task with `NoBuffer`: IoT Core delivers by itself, so it cannot be tested, enabled or paused. */
  readonly hasWorker: boolean;
  /** Topic filters of the rules. */
  readonly filters: readonly string[];
  /** Names of the rules. */
  readonly rules: readonly string[];
  status(): Promise<TaskReport>;
  /** Sends a request to the control function, and does not wait until it is carried out. @throws for a task without a worker. */
  request(request: OperatorRequest): Promise<void>;
  /** Runs the worker's connectivity test, with the worker's role and from its network. @throws for a task without a worker. */
  testConnectivity(): Promise<Connectivity>;
  /**
   * Reads what arrived at the task's target.
   *
   * @param target Name of the stream or topic; by default the task's only one.
   * @throws if the messages name the targets and none is given, and for a sink whose target cannot be read.
   */
  arrived(options: ReadOptions, target: string | undefined): Promise<readonly ArrivedRecord[]>;
  /** Approximate number of messages in the dead-letter queue; undefined if the queue is unknown. */
  countDeadLetters(): Promise<number | undefined>;
  /** @throws if the dead-letter queue is unknown. */
  deadLetterQueue(): Promise<DeadLetterQueue>;
  /**
   * Opens a queue that no task uses, so that its messages can be redriven to this task's buffer.
   *
   * @throws if a task of these stacks uses the queue.
   */
  retainedQueue(queueUrl: string): Promise<DeadLetterQueue>;
  /**
   * Moves every dead letter to the task's queue with SQS's own move task; undefined for tasks of this process.
   *
   * @param ratePerSecond 1 to 500 messages a second; undefined for no limit.
   * @throws if the move task fails. Messages that it has not moved stay in the dead-letter queue.
   */
  readonly moveAll?: (ratePerSecond: number | undefined, onProgress: (moved: number) => void) => Promise<number>;
}

/** State of a task. Times are in milliseconds since 1970. */
export interface TaskReport {
  readonly task: string;
  readonly stack: string;
  /** The user's description of the task. */
  readonly description: string | undefined;
  /** Undefined for a task without a worker. */
  readonly status: TaskStatus | undefined;
  /** Why the task is Ready or Start Failed. */
  readonly cause: string | undefined;
  /** The message that blocks the task, when it is Ready: its id, or the hash of its body if it has none. */
  readonly blocker: string | undefined;
  readonly since: number | undefined;
  /** Since when the task does not run, because of its operator or its sink; undefined also if it never ran. */
  readonly stoppedAt: number | undefined;
  /** The rules are disabled, and the sources disconnected, too. */
  readonly intakeStopped: boolean;
  /** Undefined on AWS until CloudWatch's numbers are added: see {@link Cloud.readMetrics}. */
  readonly counts: MessageCounts | undefined;
  /** Messages a second. */
  readonly rates?: MessageCounts | undefined;
  /** Messages in the queue that were not received yet; undefined for a task without a queue in its stack. */
  readonly waiting: number | undefined;
  /** Messages that a worker has received and not deleted. */
  readonly inFlight: number;
  /** Messages on the retry queue. */
  readonly retrying: number;
  /** Undefined if the dead-letter queue is unknown. */
  readonly deadLetters: number | undefined;
  /** Age of the oldest message in the queue or in the last batch of the stream; on AWS it is a CloudWatch metric. */
  readonly oldestSeconds: number | undefined;
  /** Retention period of the queue. */
  readonly retentionSeconds: number | undefined;
  /** States of the event source mappings as AWS Lambda reports them. The main queue's or stream's is the first. */
  readonly mappings: readonly string[];
}

/** Approximate numbers of messages in a queue. */
export interface QueueReport {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
  readonly retentionSeconds: number;
  readonly oldestSeconds?: number | undefined;
}

/** Everything that a report is made from. */
export interface TaskReadings {
  readonly task: string;
  readonly stack: string;
  readonly description?: string | undefined;
  readonly counts?: MessageCounts | undefined;
  /** Undefined for a task without a worker. */
  readonly state: TaskState | undefined;
  readonly mappings: readonly string[];
  readonly queue: QueueReport | undefined;
  readonly retryQueue: QueueReport | undefined;
  readonly deadLetterQueue: QueueReport | undefined;
}

/** Makes a report: the stored state, corrected by the current states of the mappings. */
export function reportOf(readings: TaskReadings, now: number): TaskReport {
  const { task, stack, mappings, queue, retryQueue, deadLetterQueue } = readings;
  const state = readings.state && withStatus(readings.state, mappings, now);
  const [from, to] = state?.stops.at(-1) ?? [];
  return {
    task,
    stack,
    description: readings.description,
    status: state?.status,
    cause: state?.cause,
    blocker: state?.status === 'Ready' ? state.halt?.message : undefined,
    since: state?.since || undefined,
    stoppedAt: to === null ? from || undefined : undefined,
    intakeStopped: state?.intakeStopped ?? false,
    counts: readings.counts,
    waiting: queue && queue.visible + queue.delayed,
    inFlight: (queue?.inFlight ?? 0) + (retryQueue?.inFlight ?? 0),
    retrying: (retryQueue?.visible ?? 0) + (retryQueue?.delayed ?? 0),
    deadLetters: deadLetterQueue && messagesIn(deadLetterQueue),
    oldestSeconds: queue?.oldestSeconds,
    retentionSeconds: queue?.retentionSeconds,
    mappings,
  };
}

/** Messages in a queue, in flight or not. */
export function messagesIn({ visible, inFlight, delayed }: QueueReport): number {
  return visible + inFlight + delayed;
}

/** Picks tasks by name or by path of the construct; all of them without a name. @throws with the names of all tasks. */
export function pick(tasks: readonly CloudTask[], name: string | undefined): readonly CloudTask[] {
  const found = tasks.filter((task) => name === undefined || task.name === name || task.path === name);
  if (found.length === 0) throw new Error(`no task ${name ?? ''}; expected one of ${pathsOf(tasks)}`);
  return found;
}

/** Picks one task. @throws if no task or more than one has the name. */
export function pickOne(tasks: readonly CloudTask[], name: string): CloudTask {
  const found = pick(tasks, name);
  if (found.length > 1)
    throw new Error(`${name} is the name of several tasks; give the path of one: ${pathsOf(found)}`);
  return found[0]!;
}

function pathsOf(tasks: readonly CloudTask[]): string {
  return tasks.map(({ path }) => path).join(', ') || 'none';
}

const STREAM_ARN = /^arn:[^:]*:kinesis:[^:]*:[^:]*:stream\/([^*]+)$/;

/** The stream to read. @param targetArn the worker's target, which ends with `*` when messages name it */
export function streamToRead(
  task: string,
  sink: string,
  target: string | undefined,
  targetArn: string | undefined,
): string {
  if (sink !== 'kinesis') throw new Error(`${task}: its sink is ${sink}; expected kinesis, rocketmq or mqtt`);
  const stream = target ?? STREAM_ARN.exec(targetArn ?? '')?.[1];
  if (stream === undefined) throw new Error(`--target: ${task} has no stream of its own; expected the name of one`);
  return stream;
}

/** The records that a worker has read. @throws with the reason of a worker that could not read. */
export function recordsOf(
  task: string,
  answer: ReadResponse,
  onNote: (note: string) => void,
): readonly ArrivedRecord[] {
  if (!answer.ok) throw new Error(`${task}: ${answer.detail}`);
  if (answer.isCut)
    onNote(
      `${task}: only the first ${answer.records.length} records fit into the answer; name a --limit or fewer --minutes`,
    );
  return answer.records;
}

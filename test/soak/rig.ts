import type { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import type { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import type { Handler } from '../../lambdas/worker/handler.ts';
import type { OutflowTask } from '../../lib/index.ts';
import type { Stack } from '../../localstack/one-process/assembly.ts';
import { type LocalKinesis, startKinesis } from '../../localstack/one-process/kinesis.ts';
import type { Queue } from '../../localstack/one-process/queue/queue.ts';
import { type Run, run } from '../../localstack/one-process/run.ts';
import type { RunningTask } from '../../localstack/one-process/task.ts';
import { faultProxyHome } from '../../localstack/servers/fault-proxy/install.mjs';
import { type FaultProxy, type Link, startFaultProxy } from '../../localstack/servers/fault-proxy/start.ts';

/** How a function crashes: before or after its work, with an error or without an answer. */
export type Crash = 'throwsFirst' | 'throwsLast' | 'hangsFirst' | 'hangsLast';

/** The tasks of some stacks in one process, with a Kinesis API behind a link that can fail. */
export interface Rig {
  readonly running: Run;
  /** The Kinesis API, without the link. */
  readonly kinesis: LocalKinesis;
  readonly link: Link;
  task(name: string): RunningTask;
  /** Decides for each invocation whether it crashes. */
  crash: (task: string) => Crash | undefined;
  /** Decides for each batch sent whether the queue refuses it. */
  refuses: (queueUrl: string) => boolean;
  /** Errors that the tasks reported. */
  readonly errors: readonly Error[];
  close(): Promise<void>;
}

export interface RigOptions {
  readonly proxy?: FaultProxy | undefined;
  /** Starts another Kinesis API in front of the emulator. @default none */
  readonly before?: (kinesis: LocalKinesis) => Promise<string>;
}

/** Runs stacks, without faults. */
export async function startRig(stacks: readonly Stack[], { proxy, before }: RigOptions = {}): Promise<Rig> {
  const kinesis = await startKinesis();
  const own = proxy ?? (await startFaultProxy({ home: faultProxyHome }));
  const upstream = (await before?.(kinesis)) ?? kinesis.endpointUrl;
  const link = await own.link({ upstream: new URL(upstream).host });
  const errors: Error[] = [];
  const running = await run(stacks, {
    kinesisEndpointUrl: `http://${link.address}`,
    reconcileEveryMs: 1_000,
    wrapSqsApi: (api) => refusing(api, (queueUrl) => rig.refuses(queueUrl)),
    wrapHandler: (task, handler) => crashing(handler, () => rig.crash(task)),
    onError: (error) => errors.push(error),
  });
  const rig: Rig = {
    running,
    kinesis,
    link,
    task: (name) => running.tasks.find((task) => task.name === name)!,
    crash: () => undefined,
    refuses: () => false,
    errors,
    async close() {
      await running.close();
      await link.remove();
      if (proxy === undefined) await own.close();
      await kinesis.close();
    },
  };
  return rig;
}

/** Shortens the function's timeout and the visibility timeout of its messages, so that a crash costs less time. */
export function shorten(task: OutflowTask, { timeoutSeconds }: { readonly timeoutSeconds: number }): void {
  (task.worker!.node.defaultChild as CfnFunction).timeout = timeoutSeconds;
  for (const queue of [task.queue!, task.retryQueue!])
    (queue.node.defaultChild as CfnQueue).visibilityTimeout = timeoutSeconds + 2;
}

/** Moves dead letters to the task's queue as SQS's own move task does: body and attributes unchanged. @returns the number of messages */
export function redrive({ deadLetterQueue, queue }: RunningTask): number {
  let moved = 0;
  for (;;) {
    const dlqMessages = deadLetterQueue!.receive(10);
    if (dlqMessages.length === 0) return moved;
    for (const { body, attributes, receiptHandle } of dlqMessages) {
      queue!.send({ body, attributes });
      deadLetterQueue!.delete(receiptHandle);
      moved++;
    }
  }
}

/** Number of messages in a queue, in any state. */
export function held({ counts }: Queue): number {
  return counts.visible + counts.inFlight + counts.delayed;
}

/** A refusing queue takes turns: an error, a failure of each entry, a failure of the second half. */
function refusing(api: SqsApi, refuses: (queueUrl: string) => boolean): SqsApi {
  let refusals = 0;
  return {
    ...api,
    async sendBatch({ QueueUrl, Entries = [] }) {
      if (!refuses(QueueUrl!)) return api.sendBatch({ QueueUrl, Entries });
      const turn = refusals++ % 3;
      if (turn === 0) throw new Error('refused');
      const taken = turn === 1 ? [] : Entries.slice(0, Entries.length >> 1);
      const { Successful = [] } = await api.sendBatch({ QueueUrl, Entries: taken });
      const Failed = Entries.slice(taken.length).map(({ Id }) => ({ Id, Code: 'AccessDenied', SenderFault: true }));
      return { Successful, Failed };
    },
  };
}

function crashing(handler: Handler, crash: () => Crash | undefined): Handler {
  const crashed = async (event: Parameters<Handler>[0], context: Parameters<Handler>[1]) => {
    const how = crash();
    if (how === 'throwsFirst') throw new Error('crashed first');
    if (how === 'hangsFirst') return new Promise<never>(() => {});
    const answer = await handler(event as never, context);
    if (how === 'throwsLast') throw new Error('crashed last');
    if (how === 'hangsLast') return new Promise<never>(() => {});
    return answer;
  };
  return crashed as unknown as Handler;
}

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import mqtt from 'mqtt';
import { expect, type TestContext, vi } from 'vitest';
import type { TaskStatus } from '../../lambdas/core/task-state.ts';
import { IotTopicSource, type ISink, OutflowTask, type OutflowTaskProps, RetryPolicy } from '../../lib/index.ts';
import { type Stack as ReadStack, readAssembly } from '../../localstack/one-process/assembly.ts';
import { run } from '../../localstack/one-process/run.ts';
import type { RunningTask } from '../../localstack/one-process/task.ts';
import { held, shorten } from '../soak/rig.ts';

/** A task to declare. */
export interface DeclaredTask extends Partial<Omit<OutflowTaskProps, 'sink'>> {
  readonly sink: (stack: Stack) => ISink;
}

/** A message that a sink has stored. */
export interface StoredCopy {
  readonly text: string;
  /** Id of the message that it comes from. */
  readonly id: string | undefined;
}

/** Where the published messages are now, as read from the sink, the dead-letter queue and the queues. */
export interface Books {
  readonly accepted: number;
  /** The number of messages in the sink. Duplicates count once. */
  readonly delivered: number;
  /** The number of copies of messages that are in the sink more than once. */
  readonly duplicates: number;
  /** Codes of dead letters by payload. */
  readonly deadLetters: Readonly<Record<string, string>>;
  readonly buffered: number;
  readonly lost: readonly string[];
  /** Messages in the sink that were never published, or whose copies differ in their id. */
  readonly unexplained: readonly string[];
}

/** The books of a task that has delivered every message. `over` replaces single values. */
export function balanced(accepted: number, over: Partial<Books> = {}): Books {
  return {
    accepted,
    delivered: accepted,
    duplicates: expect.any(Number),
    deadLetters: {},
    buffered: 0,
    lost: [],
    unexplained: [],
    ...over,
  };
}

export interface TaskUnderTest {
  readonly task: RunningTask;
  /** Errors that the task has reported. */
  readonly errors: readonly Error[];
  /** Why records were not delivered at once. */
  readonly reasons: ReadonlySet<string>;
  /** Publishes to the topic `t`; resolves when all are acknowledged. @param device Client id of the publisher. */
  publish(texts: readonly string[], device?: string): Promise<void>;
  /** Resolves when the buffers are empty. */
  drained(): Promise<void>;
  hasStatus(status: TaskStatus): Promise<void>;
  /** How many messages its queues hold. */
  held(): number;
  books(): Promise<Books>;
}

/** A deferred record is redelivered after a minute, and machines may be busy. */
export const PATIENCE = { timeout: 150_000, interval: 50 };

/** Synthesizes tasks, each in a stack of its own. They retry each second for five minutes. */
export function synthesizeTasks(tasks: Readonly<Record<string, DeclaredTask>>): readonly ReadStack[] {
  const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-')) });
  for (const [name, { sink, ...props }] of Object.entries(tasks)) {
    const stack = new Stack(app, name);
    const task = new OutflowTask(stack, name, {
      source: new IotTopicSource('t'),
      retryPolicy: RetryPolicy.custom({ steps: [{ times: 300, delay: Duration.seconds(1) }] }),
      sink: sink(stack),
      ...props,
    });
    shorten(task, { timeoutSeconds: 30 });
  }
  return readAssembly(app.synth().directory);
}

export interface StartOptions {
  /** Reads what the sink has stored; `count` is the number of messages that the task has delivered. */
  readonly readBack: (count: number) => Promise<readonly StoredCopy[]>;
  readonly secret?: ((arn: string) => Promise<string>) | undefined;
}

/** Starts a task by its name in this process and stops it when the test is over. */
export async function startTaskUnderTest(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  stacks: readonly ReadStack[],
  name: string,
  { readBack, secret }: StartOptions,
): Promise<TaskUnderTest> {
  const errors: Error[] = [];
  const reasons = new Set<string>();
  const running = await run(
    stacks.filter((stack) => stack.name === name),
    {
      reconcileEveryMs: 1_000,
      ...(secret && { secret }),
      // No stream is in these assemblies.
      kinesisEndpointUrl: 'http://127.0.0.1:1',
      onBatch(_, report) {
        for (const reason of report.reasons) reasons.add(reason);
      },
      onError: (error) => errors.push(error),
    },
  );
  onTestFinished(() => running.close());
  const devices = new Map<string, Promise<mqtt.MqttClient>>();
  const connect = async (clientId: string) => {
    const client = await mqtt.connectAsync(running.broker.url, { clientId, protocolVersion: 5 });
    onTestFinished(() => client.endAsync());
    return client;
  };
  const task = running.tasks[0]!;
  const accepted = new Set<string>();
  const inBuffers = () => held(task.queue!) + held(task.retryQueue!);

  return {
    task,
    errors,
    reasons,
    async publish(texts, device = 'device') {
      if (!devices.has(device)) devices.set(device, connect(device));
      const client = await devices.get(device)!;
      await Promise.all(
        texts.map(async (text) => {
          await client.publishAsync('t', text, { qos: 1 });
          accepted.add(text);
        }),
      );
    },
    async drained() {
      await vi.waitUntil(() => inBuffers() === 0, PATIENCE);
    },
    async hasStatus(status) {
      await vi.waitUntil(() => task.control!.state.status === status, PATIENCE);
    },
    held: inBuffers,
    async books() {
      const copies = await readBack(task.counters.outgoing);
      const delivered = new Map<string, (string | undefined)[]>();
      for (const { text, id } of copies) delivered.set(text, [...(delivered.get(text) ?? []), id]);
      const deadLetters = Object.fromEntries(
        task
          .deadLetterQueue!.peek()
          .map(({ body, attributes }) => [payloadOf(body), attributes!['ERROR_CODE']!.stringValue!]),
      );
      const buffered = [task.queue!, task.retryQueue!].flatMap((queue) =>
        queue.peek().map(({ body }) => payloadOf(body)),
      );
      const known = new Set([...delivered.keys(), ...Object.keys(deadLetters), ...buffered]);
      return {
        accepted: accepted.size,
        delivered: delivered.size,
        duplicates: copies.length - delivered.size,
        deadLetters,
        buffered: buffered.length,
        lost: [...accepted].filter((text) => !known.has(text)),
        unexplained: [...delivered].flatMap(([text, ids]) =>
          accepted.has(text) && new Set(ids).size === 1 ? [] : [text],
        ),
      };
    },
  };
}

/** Makes texts that differ from each other. */
export function texts(count: number, bytes = 40, name = 'message'): string[] {
  return Array.from({ length: count }, (_, n) => `${name} ${n} `.padEnd(bytes, '.'));
}

function payloadOf(body: string): string {
  return Buffer.from((JSON.parse(body) as { payload: string }).payload, 'base64').toString();
}

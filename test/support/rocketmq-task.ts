import type { Stack } from 'aws-cdk-lib';
import type { TestContext } from 'vitest';
import {
  type OutflowTaskProps,
  RocketMqConnector,
  type RocketMqConnectorProps,
  RocketMqSink,
  type RocketMqSinkProps,
} from '../../lib/index.ts';
import type { Stack as ReadStack } from '../../localstack/one-process/assembly.ts';
import type { RocketMq } from '../../localstack/servers/rocketmq/start.ts';
import { startTaskUnderTest, synthesizeTasks, type TaskUnderTest } from './task-under-test.ts';

export { balanced, PATIENCE, texts } from './task-under-test.ts';

/** Props of a task. By default, its RocketMQ topic has the task's name. */
export interface Declared extends Partial<OutflowTaskProps> {
  readonly connector: (stack: Stack) => RocketMqConnectorProps;
  readonly to?: Partial<RocketMqSinkProps>;
}

export function synthesize(tasks: Readonly<Record<string, Declared>>): readonly ReadStack[] {
  return synthesizeTasks(
    Object.fromEntries(
      Object.entries(tasks).map(([name, { connector, to, ...props }]) => [
        name,
        {
          ...props,
          sink: (stack: Stack) =>
            new RocketMqSink(new RocketMqConnector(stack, 'Mq', connector(stack)), {
              topic: name,
              payload: '${payload}',
              ...to,
            }),
        },
      ]),
    ),
  );
}

export interface StartOptions {
  readonly mq: RocketMq;
  /** @default the task's name */
  readonly topic?: string;
  readonly secret?: (arn: string) => Promise<string>;
}

/** Starts a task by its name in this process and stops it when the test is over. */
export async function startTask(
  test: Pick<TestContext, 'onTestFinished'>,
  stacks: readonly ReadStack[],
  name: string,
  { mq, topic = name, secret }: StartOptions,
): Promise<TaskUnderTest> {
  return startTaskUnderTest(test, stacks, name, {
    secret,
    readBack: async (count) =>
      (await mq.consume(topic, { count })).map(({ body, keys }) => ({ text: body.toString(), id: keys })),
  });
}

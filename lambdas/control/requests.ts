import { randomUUID } from 'node:crypto';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { type ControlMessage, controlMessage } from '../core/control.ts';
import { metricsLine } from '../metrics.ts';
import { awsPorts, type ControlledTask, connect } from './aws.ts';
import { control } from './control.ts';

/** Names of the tasks' configuration parameters, by task. */
const tasks: Readonly<Record<string, string>> = JSON.parse(process.env['TASKS'] ?? '{}');
const stack = process.env['STACK_NAME'] ?? '';
const queueUrl = process.env['CONTROL_QUEUE_URL']!;
const clients = connect();
const log = (entry: object) => console.log(JSON.stringify(entry));

/**
 * The control function of a stack. Each minute it is called to see to every task; that, what workers report and what the
 * command asks for then come by its queue, in which a task's messages wait for each other.
 */
export async function handler(event: Partial<SQSEvent>): Promise<SQSBatchResponse> {
  const { Records } = event;
  if (Records === undefined) {
    await Promise.all(Object.keys(tasks).map((task) => send({ kind: 'reconcile', task })));
    return { batchItemFailures: [] };
  }
  const failed: string[] = [];
  for (const { messageId, body } of Records) {
    try {
      // A task's messages keep their order: what follows one that failed waits with it.
      if (failed.length > 0) failed.push(messageId);
      else await carryOut(controlMessage.parse(JSON.parse(body)));
    } catch (error) {
      log({ event: 'control failed', body, reason: String(error) });
      failed.push(messageId);
    }
  }
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

async function carryOut(message: ControlMessage): Promise<void> {
  const { task } = message;
  if (task === undefined || !Object.hasOwn(tasks, task)) {
    log({ event: 'no such task', task, tasks: Object.keys(tasks) });
    return;
  }
  const { Parameter } = await clients.ssm.send(new GetParameterCommand({ Name: tasks[task] }));
  const ports = awsPorts(JSON.parse(Parameter!.Value!) as ControlledTask, clients);
  const { status, cause, since, halt } = await control(message, ports, Date.now);
  const metrics = { CircuitOpen: halt?.why === 'stopped' ? 1 : 0, Blocked: halt?.why === 'blocked' ? 1 : 0 };
  log({
    task,
    asked: message.kind,
    status,
    cause,
    since,
    ...metricsLine({ Stack: stack, Task: task }, metrics, Date.now()),
  });
}

async function send(message: ControlMessage & { task: string }): Promise<void> {
  await clients.sqs.send(
    new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageBody: JSON.stringify(message),
      MessageGroupId: message.task,
      MessageDeduplicationId: randomUUID(),
    }),
  );
}

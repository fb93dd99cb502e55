import { randomUUID } from 'node:crypto';
import { ChangeMessageVisibilityCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { type ControlMessage, controlMessage } from '../core/control.ts';
import { metricsLine } from '../core/metrics.ts';
import { awsPorts, type Clients, type ControlledTask } from './aws.ts';
import { control } from './control.ts';

/** What the control function of a stack works with. */
export interface RequestsOptions {
  /** Names of the tasks' configuration parameters, by task. */
  readonly tasks: Readonly<Record<string, string>>;
  readonly stack: string;
  readonly queueUrl: string;
  readonly clients: Clients;
  readonly log: (entry: object) => void;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

/** What failed comes again after so long. */
const AGAIN_SECONDS = 5;
/** How often every task is looked after. */
const LOOK_MS = 60_000;

/**
 * Carries out what comes by a stack's control queue, in which a task's messages wait for each other; without any, asks for
 * a look at every task.
 */
export function requests({ tasks, stack, queueUrl, clients, log, now = Date.now }: RequestsOptions) {
  return async ({ Records }: Partial<SQSEvent>): Promise<SQSBatchResponse> => {
    if (Records === undefined) {
      await Promise.all(Object.keys(tasks).map((task) => send({ kind: 'reconcile', task })));
      return { batchItemFailures: [] };
    }
    const failed: SQSRecord[] = [];
    const waiting = new Set<string | undefined>();
    for (const record of Records) {
      const message = read(record);
      if (message === undefined || isOutdated(message, record)) continue;
      const { task } = message;
      try {
        // A task's messages keep their order: what follows one that failed waits with it.
        if (waiting.has(task)) failed.push(record);
        else await carryOut(message);
      } catch (error) {
        log({ event: 'control failed', body: record.body, reason: String(error) });
        // The next minute brings another look; what an operator asks for is not to wait behind this one.
        if (message.kind === 'reconcile') continue;
        waiting.add(task);
        failed.push(record);
      }
    }
    await Promise.all(failed.map(comeAgainSoon));
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };

  function read({ body }: SQSRecord): ControlMessage | undefined {
    try {
      return controlMessage.parse(JSON.parse(body));
    } catch (error) {
      // Reading it again would not help.
      log({ event: 'no control message', body, reason: String(error) });
      return undefined;
    }
  }

  // Looks that take longer than a minute would pile up before what an operator asks for.
  function isOutdated({ kind }: ControlMessage, { attributes }: SQSRecord): boolean {
    return kind === 'reconcile' && now() - Number(attributes.SentTimestamp) > LOOK_MS;
  }

  async function comeAgainSoon({ body, receiptHandle }: SQSRecord): Promise<void> {
    try {
      const again = { QueueUrl: queueUrl, ReceiptHandle: receiptHandle, VisibilityTimeout: AGAIN_SECONDS };
      await clients.sqs.send(new ChangeMessageVisibilityCommand(again));
    } catch (error) {
      log({ event: 'comes again late', body, reason: String(error) });
    }
  }

  async function carryOut(message: ControlMessage): Promise<void> {
    const { task } = message;
    if (task === undefined || !Object.hasOwn(tasks, task)) {
      log({ event: 'no such task', task, tasks: Object.keys(tasks) });
      return;
    }
    const { Parameter } = await clients.ssm.send(new GetParameterCommand({ Name: tasks[task] }));
    const ports = awsPorts(JSON.parse(Parameter!.Value!) as ControlledTask, clients);
    const { status, cause, since, halt } = await control(message, ports, now);
    const metrics = { CircuitOpen: halt?.why === 'stopped' ? 1 : 0, Blocked: halt?.why === 'blocked' ? 1 : 0 };
    log({
      task,
      asked: message.kind,
      status,
      cause,
      since,
      ...metricsLine({ Stack: stack, Task: task }, metrics, now()),
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
}

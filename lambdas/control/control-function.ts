import { randomUUID } from 'node:crypto';
import { ChangeMessageVisibilityCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { type ControlMessage, controlMessage } from '../core/control-message.ts';
import { metricsLine } from '../core/metrics.ts';
import { awsPorts, type Clients, type ControlledTask } from './aws-ports.ts';
import { reconcile } from './reconcile.ts';

export interface ControlFunctionOptions {
  /** Names of the configuration parameters, by task. */
  readonly tasks: Readonly<Record<string, string>>;
  readonly stack: string;
  /** URL of the control queue. */
  readonly queueUrl: string;
  readonly clients: Clients;
  readonly log: (entry: object) => void;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

/** Visibility timeout of a message whose request failed. */
const REDELIVERY_SECONDS = 5;
/** Time between reconciliations of a task. */
const RECONCILE_INTERVAL_MS = 60_000;

/**
 * Makes the Lambda handler of the control function. With records of the control queue, it carries out their messages, each
 * task's in order. Without records, it queues a reconciliation for every task.
 */
export function controlFunction({ tasks, stack, queueUrl, clients, log, now = Date.now }: ControlFunctionOptions) {
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
        // A task's messages keep their order: those behind a failed one are redelivered with it.
        if (waiting.has(task)) failed.push(record);
        else await carryOut(message);
      } catch (error) {
        log({ event: 'control request failed', body: record.body, reason: String(error) });
        // The next minute reconciles again, so an operator's request need not wait behind this one.
        if (message.kind === 'reconcile') continue;
        waiting.add(task);
        failed.push(record);
      }
    }
    await Promise.all(failed.map(redeliverSoon));
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };

  function read({ body }: SQSRecord): ControlMessage | undefined {
    try {
      return controlMessage.parse(JSON.parse(body));
    } catch (error) {
      // A redelivery would fail again.
      log({ event: 'invalid control message', body, reason: String(error) });
      return undefined;
    }
  }

  // Reconciliations that take longer than a minute would pile up in front of an operator's requests.
  function isOutdated({ kind }: ControlMessage, { attributes }: SQSRecord): boolean {
    return kind === 'reconcile' && now() - Number(attributes.SentTimestamp) > RECONCILE_INTERVAL_MS;
  }

  async function redeliverSoon({ body, receiptHandle }: SQSRecord): Promise<void> {
    try {
      const visibility = { QueueUrl: queueUrl, ReceiptHandle: receiptHandle, VisibilityTimeout: REDELIVERY_SECONDS };
      await clients.sqs.send(new ChangeMessageVisibilityCommand(visibility));
    } catch (error) {
      log({ event: 'visibility not shortened', body, reason: String(error) });
    }
  }

  async function carryOut(message: ControlMessage): Promise<void> {
    const { task } = message;
    if (task === undefined || !Object.hasOwn(tasks, task)) {
      log({ event: 'unknown task in control message', task, tasks: Object.keys(tasks) });
      return;
    }
    const { Parameter } = await clients.ssm.send(new GetParameterCommand({ Name: tasks[task] }));
    const ports = awsPorts(JSON.parse(Parameter!.Value!) as ControlledTask, clients);
    const { status, cause, since, halt } = await reconcile(message, ports, now);
    const metrics = { CircuitOpen: halt?.why === 'stopped' ? 1 : 0, Blocked: halt?.why === 'blocked' ? 1 : 0 };
    log({
      task,
      request: message.kind,
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

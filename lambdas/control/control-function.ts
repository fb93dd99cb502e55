import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChangeMessageVisibilityCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { GetParametersCommand } from '@aws-sdk/client-ssm';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { type ControlMessage, controlMessage } from '../core/control-message.ts';
import { metricsLine } from '../core/metrics.ts';
import { isDue, labelledState, readState } from '../core/task-state.ts';
import { awsPorts, type Clients, type ControlledTask } from './aws-ports.ts';
import { reconcile } from './reconcile.ts';
import { maySend, type WorkerRoles } from './senders.ts';

export interface ControlFunctionOptions {
  /** Names of the configuration parameters, by task. */
  readonly tasks: Readonly<Record<string, string>>;
  /** @default - every sender may send every message */
  readonly workers?: WorkerRoles;
  readonly stack: string;
  /** URL of the control queue. */
  readonly queueUrl: string;
  readonly clients: Clients;
  readonly log: (entry: object) => void;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** @default setTimeout */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** Visibility timeout of a message whose request failed. */
const REDELIVERY_SECONDS = 5;
/** Age after which a report or a reconciliation is obsolete: the worker reports again, and the next minute reconciles again. */
const OBSOLETE_MS = 60_000;
/**
 * Time between the looks at two tasks, each of which makes two control-plane requests of AWS Lambda or a few more. An account has
 * 15 of these a second (AWS Lambda, "Lambda quotas").
 */
const BETWEEN_LOOKS_MS = 250;
/** Names that one call of GetParameters takes. */
const MAX_PARAMETERS = 10;
/** Time for which the parts of a task are kept. Only a deployment changes them, and a failed request has them read again. */
const PARTS_TTL_MS = 300_000;

/**
 * Makes the Lambda handler of the control function. With records of the control queue, it carries out their messages, each
 * task's in order. Without records, it queues a reconciliation for every task that is due.
 */
export function controlFunction(options: ControlFunctionOptions) {
  const { tasks, workers = {}, stack, queueUrl, clients, log, now = Date.now, wait = sleep } = options;
  const parts = new Map<string, { readonly at: number; readonly task: ControlledTask }>();

  return async ({ Records }: Partial<SQSEvent>): Promise<SQSBatchResponse> => {
    if (Records === undefined) {
      const due = await dueTasks();
      for (const [i, task] of due.entries()) {
        if (i > 0) await wait(BETWEEN_LOOKS_MS);
        await send({ kind: 'reconcile', task });
      }
      return { batchItemFailures: [] };
    }
    const failed: SQSRecord[] = [];
    const waiting = new Set<string | undefined>();
    for (const record of Records) {
      const message = read(record);
      if (message === undefined || isObsolete(message, record)) continue;
      const { task } = message;
      if (!maySend(message, record, workers)) {
        log({ event: 'control message of another task', body: record.body, sender: record.attributes.SenderId });
        continue;
      }
      try {
        // A task's messages keep their order: those behind a failed one are redelivered with it.
        if (waiting.has(task)) failed.push(record);
        else await carryOut(message);
      } catch (error) {
        log({ event: 'control request failed', body: record.body, reason: String(error) });
        if (task !== undefined) parts.delete(task);
        // The next minute reconciles again, so an operator's request need not wait behind this one.
        if (message.kind === 'reconcile') continue;
        waiting.add(task);
        failed.push(record);
      }
    }
    await Promise.all(failed.map(redeliverSoon));
    return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };

  /** The tasks to look at now. One whose state is not written yet, or cannot be read, is due. */
  async function dueTasks(): Promise<string[]> {
    const names = Object.keys(tasks);
    try {
      const of = await partsOf(names);
      const states = await readParameters([...of.values()].map(({ state }) => labelledState(state)));
      return names.filter((name, slot) => {
        const task = of.get(name);
        const text = task && states.get(task.state);
        return text === undefined || isDue(readState(text, task?.enabled), slot, now());
      });
    } catch (error) {
      log({ event: 'task states not read', reason: String(error) });
      return names;
    }
  }

  /** The parts of tasks, by task. A task whose configuration does not exist is left out. */
  async function partsOf(names: readonly string[]): Promise<ReadonlyMap<string, ControlledTask>> {
    const isKnown = (name: string) => now() - (parts.get(name)?.at ?? Number.NEGATIVE_INFINITY) < PARTS_TTL_MS;
    const unknown = names.filter((name) => !isKnown(name));
    const texts = await readParameters(unknown.map((name) => tasks[name]!));
    for (const name of unknown) {
      const text = texts.get(tasks[name]!);
      if (text === undefined) parts.delete(name);
      else parts.set(name, { at: now(), task: JSON.parse(text) });
    }
    return new Map(names.flatMap((name) => (parts.has(name) ? [[name, parts.get(name)!.task]] : [])));
  }

  /** Texts of parameters, by name. A name may have a selector; one that does not exist is left out. */
  async function readParameters(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const texts = new Map<string, string>();
    for (let from = 0; from < names.length; from += MAX_PARAMETERS) {
      const Names = names.slice(from, from + MAX_PARAMETERS);
      const { Parameters = [] } = await clients.ssm.send(new GetParametersCommand({ Names }));
      for (const { Name, Value } of Parameters) texts.set(Name!, Value!);
    }
    return texts;
  }

  function read({ body }: SQSRecord): ControlMessage | undefined {
    try {
      return controlMessage.parse(JSON.parse(body));
    } catch (error) {
      // A redelivery would fail again.
      log({ event: 'invalid control message', body, reason: String(error) });
      return undefined;
    }
  }

  // Reconciliations that take longer than a minute, and reports of many workers, would pile up in front of an operator's requests.
  function isObsolete({ kind }: ControlMessage, { attributes }: SQSRecord): boolean {
    return (kind === 'reconcile' || kind === 'halt') && now() - Number(attributes.SentTimestamp) > OBSOLETE_MS;
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
    const controlled = (await partsOf([task])).get(task);
    if (controlled === undefined) throw new Error(`parameter ${tasks[task]} does not exist; deploy the stack again`);
    const ports = awsPorts(controlled, clients);
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

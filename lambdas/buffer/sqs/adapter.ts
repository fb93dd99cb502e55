import type { MiddlewareObj } from '@middy/core';
import type { Context, SQSEvent } from 'aws-lambda';
import type { DeliverContext } from '../../deliver/sink.ts';
import { processIsolated } from '../../worker/quarantine.ts';
import type { BatchReport, Worker } from '../../worker/worker.ts';
import { readSqsEvent } from './message.ts';
import type { TaskQueues } from './task-queues.ts';

/** A batch on its way through a function, from whatever source it came. */
export interface Intake {
  process(context: DeliverContext): Promise<BatchReport>;
  /** What the event source is to be answered. */
  respond(report: BatchReport): Promise<unknown>;
}

export type Middleware = MiddlewareObj<unknown, unknown, Error, Context>;

/** What the control function asks a worker's function. */
export interface ControlRequest {
  readonly outflow: 'testConnectivity';
}

/** An SQS event that is a probe: the answer then tells also whether the task still cannot go on, and why. */
export interface ProbeResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
  readonly halt?: string;
}

/** The answer to {@link ControlRequest}. */
export interface Connectivity {
  readonly ok: boolean;
  /** What was found, or why it could not be. */
  readonly detail: string;
}

/** Answers the control function's questions, ahead of every event source. */
export function controlRequests(worker: Worker): Middleware {
  return {
    async before({ event }): Promise<Connectivity | undefined> {
      if ((event as Partial<ControlRequest>).outflow !== 'testConnectivity') return undefined;
      return testConnectivity(worker);
    },
  };
}

export async function testConnectivity(worker: Pick<Worker, 'testConnectivity'>): Promise<Connectivity> {
  try {
    return { ok: true, detail: await worker.testConnectivity() };
  } catch (error) {
    return { ok: false, detail: (error as Error).message };
  }
}

/**
 * Takes SQS events, and answers them with a partial batch response (AWS Lambda, "Handling errors for an SQS event source":
 * ReportBatchItemFailures). A message that stays comes again soon rather than when its visibility timeout ends.
 */
export function sqsIntake(worker: Worker, queues: TaskQueues): Middleware {
  return {
    before(request) {
      const event = request.event as SQSEvent & { outflow?: 'probe' };
      const queueArn = event.Records?.[0]?.eventSourceARN;
      if (event.Records?.[0]?.eventSource !== 'aws:sqs' || queueArn === undefined) return;
      const messages = readSqsEvent(event);
      const remove: Parameters<typeof processIsolated>[2]['remove'] = (some) => queues.remove(some, queueArn);
      request.event = {
        process: (context) => processIsolated(messages, context, { worker, retries: queues.retries, remove }),
        async respond({ failed, halt }): Promise<ProbeResponse> {
          const stays = new Set(failed);
          await queues.comeAgainSoon(
            messages.filter(({ id }) => stays.has(id)),
            queueArn,
          );
          const batchItemFailures = failed.map((itemIdentifier) => ({ itemIdentifier }));
          return event.outflow === 'probe' && halt !== undefined
            ? { batchItemFailures, halt: halt.cause }
            : { batchItemFailures };
        },
      } satisfies Intake;
    },
  };
}

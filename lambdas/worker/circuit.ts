import { createHash } from 'node:crypto';
import type { SqsApi } from '../buffer/sqs/api.ts';
import type { ControlMessage } from '../core/control-message.ts';
import type { BatchReport } from './message.ts';

/** Consecutive batches of nothing but stop errors that open the circuit. */
const STOPS_TO_OPEN = 2;
/** The control function acts within seconds; until then, further batches report nothing new. */
const QUIET_MS = 10_000;

export interface CircuitOptions {
  readonly api: SqsApi;
  /** URL of the control function's queue. */
  readonly queueUrl: string;
  readonly task: string;
  readonly log: (entry: object) => void;
  readonly now: () => number;
}

/** Watches the reports of one running worker and notifies the control function when its task cannot go on. */
export function circuit({ api, queueUrl, task, log, now }: CircuitOptions): (report: BatchReport) => Promise<void> {
  let stops = 0;
  let quietUntil = 0;
  return async ({ stop, delivered }) => {
    if (delivered > 0) stops = 0;
    if (stop === undefined) return;
    if (stop.kind === 'circuitOpen' && ++stops < STOPS_TO_OPEN) return;
    const at = now();
    if (at < quietUntil) return;
    const why = stop.kind === 'circuitOpen' ? 'stopped' : 'blocked';
    const message: Extract<ControlMessage, { kind: 'halt' }> = {
      kind: 'halt',
      task,
      why,
      cause: stop.cause,
      at,
      ...(stop.isOneDevice && { isOneDevice: true }),
      ...(stop.message !== undefined && { message: stop.message }),
    };
    try {
      await api.send({
        QueueUrl: queueUrl,
        MessageBody: JSON.stringify(message),
        MessageGroupId: task,
        MessageDeduplicationId: deduplicationId(message),
      });
      quietUntil = at + QUIET_MS;
    } catch (error) {
      // The next batch reports it again; meanwhile the records to retry wait on the retry queue.
      log({ event: 'control function not notified', reason: String(error) });
    }
  };
}

/** Time for which the reports of all running workers of a task count as one. */
const ONE_REPORT_MS = 15_000;

// SQS drops a message whose deduplication id it has seen within five minutes (Amazon SQS, "Exactly-once processing").
function deduplicationId({ task, why, isOneDevice = false, at }: Extract<ControlMessage, { kind: 'halt' }>): string {
  const report = JSON.stringify([task, why, isOneDevice, Math.floor(at / ONE_REPORT_MS)]);
  return createHash('sha256').update(report).digest('hex');
}

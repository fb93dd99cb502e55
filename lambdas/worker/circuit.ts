import { randomUUID } from 'node:crypto';
import type { SqsApi } from '../buffer/sqs/api.ts';
import type { ControlMessage } from '../core/control.ts';
import type { BatchReport } from './worker.ts';

/** So many batches of nothing but stop errors, one after the other, open the circuit. */
const STOPS_IN_A_ROW = 2;
/** The control function acts within seconds; until then, batches that come tell it nothing new. */
const QUIET_MS = 10_000;

export interface HaltOptions {
  readonly api: SqsApi;
  /** URL of the control function's queue. */
  readonly queueUrl: string;
  readonly task: string;
  readonly log: (entry: object) => void;
  readonly now: () => number;
}

/** Listens to the reports of one running worker, and tells the control function when its task cannot go on. */
export function haltReporter({ api, queueUrl, task, log, now }: HaltOptions): (report: BatchReport) => Promise<void> {
  let stops = 0;
  let quietUntil = 0;
  return async ({ halt, delivered }) => {
    if (delivered > 0) stops = 0;
    if (halt === undefined) return;
    if (halt.kind === 'stopped' && ++stops < STOPS_IN_A_ROW) return;
    const at = now();
    if (at < quietUntil) return;
    const message: ControlMessage = { kind: 'halt', task, why: halt.kind, cause: halt.cause, at };
    try {
      await api.send({
        QueueUrl: queueUrl,
        MessageBody: JSON.stringify(message),
        MessageGroupId: task,
        MessageDeduplicationId: randomUUID(),
      });
      quietUntil = at + QUIET_MS;
    } catch (error) {
      // The next batch tells again; meanwhile what failed waits on the retry queue.
      log({ event: 'control not told', reason: String(error) });
    }
  };
}

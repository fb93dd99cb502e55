import type { DeliverContext } from '../deliver/sink.ts';
import type { RetryQueue } from '../retry-queue.ts';
import type { BatchReport, Worker } from '../worker.ts';
import type { LentMessage } from './sqs.ts';

/** A message lent so often may be what stops the function: it did not come back by a report of ours. */
const SUSPECT_AFTER_RECEIVES = 3;

export interface Isolation {
  readonly worker: Worker;
  readonly retries: RetryQueue;
  /** Deletes messages at once, ahead of the report, so that a crash does not bring them back. */
  readonly remove: (messages: readonly LentMessage[]) => Promise<void>;
}

/**
 * Processes a batch, and takes care of what may have crashed the function: a suspect goes to the retry queue by itself, is
 * processed there when nothing else can be hurt, and is dead-lettered as CRASHED once it has crashed there too.
 */
export async function processIsolated(
  messages: readonly LentMessage[],
  context: DeliverContext,
  { worker, retries, remove }: Isolation,
): Promise<BatchReport> {
  const isOften = ({ receiveCount }: LentMessage) => receiveCount >= SUSPECT_AFTER_RECEIVES;
  const plain = messages.filter((message) => !message.isSuspect && !isOften(message));
  const reports = [await worker.process(plain, context)];
  if (plain.length === messages.length) return reports[0]!;

  const [chosen, ...others] = messages.filter((message) => message.isSuspect && !isOften(message));
  for (const message of messages) if (message.isSuspect && isOften(message)) reports.push(await worker.giveUp(message));
  reports.push(await sendAlone([...messages.filter((message) => !message.isSuspect && isOften(message)), ...others]));
  if (chosen !== undefined) {
    const failed = new Set(reports.flatMap((report) => report.failed));
    await remove(messages.filter((message) => message !== chosen && !failed.has(message.id)));
    reports.push(await worker.process([chosen], context));
  }
  return reports.reduce(together);

  async function sendAlone(suspects: readonly LentMessage[]): Promise<BatchReport> {
    const stored = await retries.send(
      suspects.map(({ id, body, attempt, firstSeen, children }) => {
        return { id, body, attempt, firstSeen, children, isSuspect: true, delaySeconds: 0 };
      }),
    );
    const failed = suspects.filter((_, i) => !stored[i]).map(({ id }) => id);
    return { ...NOTHING, received: suspects.length, parked: suspects.length - failed.length, failed };
  }
}

const NOTHING: BatchReport = {
  received: 0,
  filtered: 0,
  delivered: 0,
  deadLettered: 0,
  retried: 0,
  parked: 0,
  expired: 0,
  dropped: 0,
  failed: [],
  reasons: [],
  halt: undefined,
};

function together(a: BatchReport, b: BatchReport): BatchReport {
  return {
    received: a.received + b.received,
    filtered: a.filtered + b.filtered,
    delivered: a.delivered + b.delivered,
    deadLettered: a.deadLettered + b.deadLettered,
    retried: a.retried + b.retried,
    parked: a.parked + b.parked,
    expired: a.expired + b.expired,
    dropped: a.dropped + b.dropped,
    failed: [...a.failed, ...b.failed],
    reasons: [...new Set([...a.reasons, ...b.reasons])],
    halt: a.halt ?? b.halt,
  };
}

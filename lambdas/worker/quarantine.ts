import type { LentMessage } from '../buffer/sqs/message.ts';
import type { DeliverContext } from '../deliver/sink.ts';
import type { RetryQueue } from './requeued.ts';
import type { BatchReport, Worker } from './worker.ts';

/** A message lent so often may be what stops the function: it did not come back by a report of ours. */
const SUSPECT_AFTER_RECEIVES = 3;

export interface Isolation {
  readonly worker: Worker;
  readonly retries: RetryQueue;
  /** Deletes messages at once, ahead of the report, so that a crash does not bring them back. */
  readonly remove: (messages: readonly LentMessage[]) => Promise<void>;
}

/**
 * Processes a batch, and takes care of what may have crashed the function: a suspect goes to the retry queue, is processed
 * there alone, and is dead-lettered as CRASHED once it has crashed there too. What came with it waits for another batch.
 */
export async function processIsolated(
  messages: readonly LentMessage[],
  context: DeliverContext,
  { worker, retries, remove }: Isolation,
): Promise<BatchReport> {
  const isOften = ({ receiveCount }: LentMessage) => receiveCount >= SUSPECT_AFTER_RECEIVES;
  const chosen = messages.find(({ isSuspect }) => isSuspect);
  // What is not tried now leaves first: what stops the function here must not be held against it.
  const others = messages.filter((message) => message !== chosen && (chosen !== undefined || isOften(message)));
  if (others.length === 0) return take(messages);
  const sent = await sendAway(others);
  const away = new Set(others);
  return together(sent, await take(messages.filter((message) => !away.has(message))));

  async function take(some: readonly LentMessage[]): Promise<BatchReport> {
    return chosen !== undefined && isOften(chosen) ? worker.giveUp(chosen) : worker.process(some, context);
  }

  async function sendAway(all: readonly LentMessage[]): Promise<BatchReport> {
    const stored = await retries.send(
      all.map((message) => {
        const { id, body, attempt, firstSeen, sentAt, children } = message;
        const isSuspect = message.isSuspect || isOften(message);
        return { id, body, attempt, firstSeen: firstSeen ?? sentAt, children, isSuspect, delaySeconds: 0 };
      }),
    );
    await remove(all.filter((_, i) => stored[i]));
    const failed = all.filter((_, i) => !stored[i]).map(({ id }) => id);
    return { ...NOTHING, received: all.length, parked: all.length - failed.length, failed };
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

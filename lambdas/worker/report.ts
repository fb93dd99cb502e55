import type { BatchReport } from './message.ts';

/** The report of a batch that was processed in two parts. */
export function mergeReports(first: BatchReport, second: BatchReport): BatchReport {
  return {
    received: first.received + second.received,
    filtered: first.filtered + second.filtered,
    delivered: first.delivered + second.delivered,
    deadLettered: first.deadLettered + second.deadLettered,
    expiredDeadLetters: first.expiredDeadLetters + second.expiredDeadLetters,
    retried: first.retried + second.retried,
    parked: first.parked + second.parked,
    expired: first.expired + second.expired,
    dropped: first.dropped + second.dropped,
    failed: [...first.failed, ...second.failed],
    reasons: [...new Set([...first.reasons, ...second.reasons])],
    stop: first.stop ?? second.stop,
  };
}

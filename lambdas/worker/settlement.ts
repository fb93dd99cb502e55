import type { NeverRetry } from '../core/errors.ts';
import type { ExhaustedRetryCondition } from '../core/retry.ts';
import { matchesTopicFilter } from '../core/topic-filter.ts';
import { withoutDeadLetter } from './disposition.ts';
import {
  type BatchReport,
  type BufferMessage,
  type DeadLetter,
  type DeadLetters,
  type Delivery,
  type Disposition,
  firstSeenAt,
  MAX_STOPS,
  type Requeue,
  type Requeued,
  type TaskStop,
} from './message.ts';
import { blockerId } from './skipped-messages.ts';

/** Executes dispositions: writes dead letters, requeues what is to be tried again, and reports the batch. */
export type Settle<Request> = (
  deliveries: readonly Delivery<Request>[],
  requeue: Requeue,
  counts: { readonly received: number; readonly filtered: number; readonly stop?: TaskStop | undefined },
) => Promise<BatchReport>;

export interface SettlementParts<Request> {
  readonly filters: readonly string[];
  /** In the order of `filters`. */
  readonly ruleArns: readonly string[];
  /** ARN or address of a request's target; without a request, of any. */
  readonly target: (request?: Request) => string;
  /** Of the configuration that numbers the children. */
  readonly fingerprint: string;
  readonly deadLetters: DeadLetters;
  readonly random: () => number;
}

type AgainDisposition = Extract<Disposition, { to: 'retry' | 'defer' }>;

/** Children of one message that are requeued together. */
interface Group<Request> {
  readonly message: BufferMessage;
  readonly attempt: number;
  readonly deliveries: Delivery<Request>[];
  delaySeconds: number;
  retried: number;
  /** How often a stop error has deferred the message, this batch included. */
  stops: number;
}

const MAX_REASONS = 3;

export function settlement<Request>(parts: SettlementParts<Request>): Settle<Request> {
  const { filters, ruleArns, target, fingerprint, deadLetters, random } = parts;

  function deadLetterOf(
    { message, progress, child }: Delivery<Request>,
    error: NeverRetry,
    exhausted: ExhaustedRetryCondition,
  ): DeadLetter {
    const { envelope, stage } = progress;
    const topic = envelope?.topic;
    const rule = topic === undefined ? 0 : filters.findIndex((filter) => matchesTopicFilter(filter, topic));
    const own = child === undefined ? undefined : progress.children[child];
    return {
      body: message.body,
      error,
      stage,
      messageId: own?.id ?? envelope?.id ?? message.id,
      firstSeen: firstSeenAt(message, envelope),
      retryAttempts: message.attempt,
      exhausted,
      ruleArn: ruleArns[rule] ?? ruleArns[0]!,
      targetArn: target(own?.request),
    };
  }

  function requeuedOf({ message, deliveries, attempt, delaySeconds, stops }: Group<Request>): Requeued {
    const [{ progress, child, isSuspect = false }] = deliveries as [Delivery<Request>];
    const isWhole = deliveries.length === progress.children.length;
    const owed = isWhole ? undefined : { by: fingerprint, numbers: deliveries.map((one) => one.child!) };
    return {
      id: message.id,
      body: message.body,
      firstSeen: firstSeenAt(message, progress.envelope),
      attempt,
      children: child === undefined ? message.children : owed,
      isSuspect,
      stops,
      delaySeconds,
    };
  }

  return async (deliveries, requeue, { received, filtered, stop }) => {
    const counts = {
      delivered: 0,
      deadLettered: 0,
      expiredDeadLetters: 0,
      expired: 0,
      dropped: 0,
      retried: 0,
      parked: 0,
    };
    const again: [Delivery<Request>, AgainDisposition][] = [];
    const dead: [Delivery<Request>, DeadLetter][] = [];
    for (const delivery of deliveries) {
      const disposition = delivery.disposition!;
      if (disposition.to === 'deadLetter')
        dead.push([delivery, deadLetterOf(delivery, disposition.error, disposition.exhausted)]);
      else if (disposition.to === 'retry' || disposition.to === 'defer') again.push([delivery, disposition]);
      else counts[disposition.to]++;
    }

    const isStored = dead.length === 0 ? [] : await deadLetters.send(dead.map(([, deadLetter]) => deadLetter));
    dead.forEach(([delivery, { error }], i) => {
      if (isStored[i]) {
        counts.deadLettered++;
        if (error.code === 'EXPIRED') counts.expiredDeadLetters++;
      } else again.push([delivery, withoutDeadLetter(random)]);
    });

    const groups = grouped(again);
    const results = groups.length === 0 ? [] : await requeue.send(groups.map(requeuedOf));
    const failed = new Set<string>();
    groups.forEach(({ message, deliveries: own, retried }, i) => {
      if (results[i] !== 'stored') failed.add(message.id);
      if (results[i] === 'failed') return;
      counts.retried += retried;
      counts.parked += own.length - retried;
    });

    const reasons = new Set(again.map(([, { reason }]) => reason));
    const blocker = again.find(([, disposition]) => disposition.to === 'defer' && disposition.blocks !== undefined);
    return {
      received,
      filtered,
      ...counts,
      failed: [...failed],
      reasons: [...reasons].slice(0, MAX_REASONS),
      stop:
        blocker === undefined ? stop : { kind: 'blocked', cause: blocker[1].reason, message: blockerId(blocker[0]) },
    };
  };
}

/** Children of a message with the same attempt are requeued as one message, when the last of them may be tried. */
function grouped<Request>(again: readonly [Delivery<Request>, AgainDisposition][]): Group<Request>[] {
  const groups = new Map<string, Group<Request>>();
  for (const [delivery, disposition] of again) {
    const { message } = delivery;
    const attempt = disposition.to === 'retry' ? disposition.attempt : message.attempt;
    const key = `${attempt} ${message.id}`;
    let group = groups.get(key);
    if (group === undefined) {
      group = { message, attempt, deliveries: [], delaySeconds: 0, retried: 0, stops: message.stops ?? 0 };
      groups.set(key, group);
    }
    group.deliveries.push(delivery);
    group.delaySeconds = Math.max(group.delaySeconds, disposition.delaySeconds);
    group.stops = Math.max(group.stops, stopsAfter(message, disposition));
    if (disposition.to === 'retry') group.retried++;
  }
  return [...groups.values()];
}

function stopsAfter({ stops = 0 }: BufferMessage, disposition: AgainDisposition): number {
  if (disposition.to === 'retry') return disposition.isCharged ? MAX_STOPS : stops;
  return disposition.isStop ? stops + 1 : stops;
}

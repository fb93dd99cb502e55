import type { NeverRetry } from '../core/errors.ts';
import type { ExhaustedRetryCondition } from '../core/retry.ts';
import type { TaskSpec } from '../core/spec.ts';
import { matchesTopicFilter } from '../core/topic-filter.ts';
import type { DeadLetter, DeadLetters } from './dead-letter.ts';
import type { Fate, Fates } from './disposition.ts';
import { firstSeenAt } from './expiry.ts';
import type { Progress } from './pipeline.ts';
import type { Requeued, RetryQueue } from './requeued.ts';
import type { BatchReport, BufferMessage, Halt } from './worker.ts';

/** One request of a message, on its way to its one end. */
export interface Parcel<Request> {
  readonly message: BufferMessage;
  readonly at: Progress<Request>;
  /** Its number among the message's requests; undefined for a message that never became any. */
  readonly child?: number;
  /** It may have killed the function, and is to come alone if it comes again. */
  readonly isSuspect?: boolean;
  /** Undefined once it is delivered. */
  fate?: Fate;
}

/** Sends what is dead-lettered, retried and parked on its way, and says what became of it all. */
export type Settle<Request> = (
  parcels: readonly Parcel<Request>[],
  counts: Pick<BatchReport, 'received' | 'filtered' | 'delivered' | 'expired'>,
  stop: string | undefined,
) => Promise<BatchReport>;

export interface SettlementParts<Request> {
  readonly fates: Fates;
  /** What makes the task's children. */
  readonly by: string;
  readonly deadLetters: DeadLetters;
  readonly retries: RetryQueue;
  /** In the order of the source's filters. */
  readonly ruleArns: readonly string[];
  /** ARN or address of where a request goes. */
  readonly target: (request?: Request) => string;
}

const REASONS_AT_MOST = 3;

export function settlement<Request>(
  { source }: Pick<TaskSpec, 'source'>,
  { fates, by, deadLetters, retries, ruleArns, target }: SettlementParts<Request>,
): Settle<Request> {
  function letterOf(
    { message, at, child }: Parcel<Request>,
    error: NeverRetry,
    exhausted: ExhaustedRetryCondition,
  ): DeadLetter {
    const { envelope, requests } = at;
    const topic = envelope?.topic;
    const rule = topic === undefined ? 0 : source.filters.findIndex((filter) => matchesTopicFilter(filter, topic));
    return {
      body: message.body,
      error,
      stage: at.stage,
      messageId: (child === undefined ? envelope?.id : idOf(at, child)) ?? message.id,
      firstSeen: firstSeenAt(message, envelope),
      retryAttempts: message.attempt,
      exhausted,
      ruleArn: ruleArns[rule] ?? ruleArns[0]!,
      targetArn: target(child === undefined ? undefined : requests?.[child]),
    };
  }

  return async (parcels, counts, stop) => {
    const failed = new Set<string>();
    const reasons = new Set<string>();
    const ends = { deadLettered: 0, retried: 0, parked: 0, dropped: 0 };
    let block: string | undefined;

    const dead = parcels.flatMap((parcel) => {
      const { fate } = parcel;
      return fate?.to === 'deadLetter' ? [{ parcel, letter: letterOf(parcel, fate.error, fate.exhausted) }] : [];
    });
    const stored = await sendAll(
      deadLetters,
      dead.map(({ letter }) => letter),
    );
    dead.forEach(({ parcel }, i) => {
      if (stored[i]) ends.deadLettered++;
      else parcel.fate = fates.ofUnstored();
    });

    const again = new Map<
      string,
      { message: BufferMessage; all: Parcel<Request>[]; attempt: number; delaySeconds: number }
    >();
    for (const parcel of parcels) {
      const { fate, message } = parcel;
      if (fate?.to === 'drop') ends.dropped++;
      if (fate?.to !== 'retry' && fate?.to !== 'park') continue;
      if (fate.to === 'park') block ??= fate.blocks;
      if (reasons.size < REASONS_AT_MOST) reasons.add(fate.reason);
      const attempt = fate.to === 'retry' ? fate.attempt : message.attempt;
      const key = `${attempt} ${message.id}`;
      const group = again.get(key) ?? { message, all: [], attempt, delaySeconds: 0 };
      group.all.push(parcel);
      // Children that come again together come when the last of them may.
      group.delaySeconds = Math.max(group.delaySeconds, fate.delaySeconds);
      again.set(key, group);
    }
    const groups = [...again.values()];
    const kept = await sendAll(
      retries,
      groups.map(({ message, all, attempt, delaySeconds }): Requeued => {
        const [{ at, child, isSuspect = false }] = all as [Parcel<Request>];
        const isWhole = child === undefined || all.length === at.requests!.length;
        const children = isWhole ? undefined : { by, numbers: all.map((parcel) => parcel.child!) };
        const { id, body } = message;
        const firstSeen = firstSeenAt(message, at.envelope);
        return { id, body, firstSeen, attempt, children, isSuspect, delaySeconds };
      }),
    );
    groups.forEach(({ message, all }, i) => {
      if (!kept[i]) failed.add(message.id);
      else for (const { fate } of all) ends[fate!.to === 'retry' ? 'retried' : 'parked']++;
    });

    let halt: Halt | undefined;
    if (block !== undefined) halt = { kind: 'blocked', cause: block };
    else if (stop !== undefined) halt = { kind: 'stopped', cause: stop };
    return { ...counts, ...ends, failed: [...failed], reasons: [...reasons], halt };
  };
}

/** Of the record that a child was made of; with its place among the ways that the record took, where these are several. */
function idOf<Request>({ records = [] }: Progress<Request>, child: number): string | undefined {
  const record = records[child];
  const first = records.indexOf(record!);
  const isOnly = records.lastIndexOf(record!) === first;
  return isOnly ? record?.envelope.id : `${record!.envelope.id}#${child - first}`;
}

async function sendAll<Item>(
  to: { send(items: readonly Item[]): Promise<readonly boolean[]> },
  items: Item[],
): Promise<readonly boolean[]> {
  if (items.length === 0) return [];
  try {
    return await to.send(items);
  } catch {
    return items.map(() => false);
  }
}

import { NeverRetry, RetryLater, type StopTask } from '../core/errors.ts';
import { compileRetries, type ExhaustedRetryCondition } from '../core/retry.ts';
import type { TaskSpec } from '../core/spec.ts';
import type { Outcome } from '../deliver/sink.ts';
import { type Delivery, type Disposition, firstSeenAt, MAX_STOPS, type RetryMode, type TaskStop } from './message.ts';

/** Seconds that a record waits for which the function had no time left. */
const NO_TIME_WAIT = { from: 1, to: 3 };
/** Seconds that a record waits until an operator or the control function acts; the task is stopped meanwhile. */
const STOPPED_WAIT = { from: 30, to: 60 };

const DELIVERED: Disposition = { to: 'delivered' };

/** What the batch knows about a delivery beside the delivery itself. */
export interface BatchFacts {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Milliseconds of the delivery's life during which the task did not run. */
  readonly stoppedMs: number;
  readonly retryMode: RetryMode;
  /** A record before it blocks the buffer's order. */
  readonly isBehindBlocker: boolean;
  /** Every record of the batch that was tried ended in a stop error: see {@link stopOf}. */
  readonly isStopped: boolean;
  /** The stop errors since the last delivery are all of one device: they count against its messages. */
  readonly isOneDevice: boolean;
  /** The batch is the one message of a probe, whose connectivity test has passed. */
  readonly isProbe: boolean;
}

/** Decides where a delivery goes: before it is sent, where undefined means that it is to be sent, and by the sink's outcome after. */
export interface DispositionOf {
  (delivery: Delivery<unknown>, facts: BatchFacts): Disposition | undefined;
  (delivery: Delivery<unknown>, facts: BatchFacts, outcome: Outcome): Disposition;
}

type DecisiveOptions = 'retryPolicy' | 'faultTolerance' | 'onExhausted' | 'poison' | 'requestTtlSeconds' | 'onExpired';

/** Compiles a task's retry policy, fault tolerance and request TTL. `random` gives 0 to 1, 1 excluded. */
export function compileDisposition(spec: Pick<TaskSpec, DecisiveOptions>, random: () => number): DispositionOf {
  const retries = compileRetries(spec.retryPolicy);

  /** Dead-letters a record that can never be delivered, or that is out of retries, unless the task keeps it or drops it. */
  function dead(error: NeverRetry, exhausted: ExhaustedRetryCondition = 'None'): Disposition {
    const isExhausted = error.code === 'RETRIES_EXHAUSTED';
    if (spec.faultTolerance === 'prohibited' && (isExhausted || spec.poison === 'block')) {
      return { ...defer(STOPPED_WAIT, `${error.code}: ${error.message}`, random), blocks: { error, exhausted } };
    }
    if (isExhausted && spec.onExhausted === 'drop') return { to: 'dropped' };
    return { to: 'deadLetter', error, exhausted };
  }

  function expired({ message, progress }: Delivery<unknown>, { now, stoppedMs }: BatchFacts): Disposition | undefined {
    if (spec.requestTtlSeconds === undefined) return undefined;
    const ageMs = now - firstSeenAt(message, progress.envelope);
    if (ageMs - stoppedMs <= spec.requestTtlSeconds * 1000) return undefined;
    if (spec.onExpired === 'drop') return { to: 'expired' };
    const age = `age ${Math.round(ageMs / 1000)} s, requestTtl ${spec.requestTtlSeconds} s`;
    // A message does not get younger, so this one never blocks the task.
    return {
      to: 'deadLetter',
      error: new NeverRetry('EXPIRED', `the message expired: ${age}`),
      exhausted: 'None',
    };
  }

  /** A message that has had more retries than the policy gives is not tried, unless it blocks and its operator wants it tried. */
  function spent({ message: { attempt } }: Delivery<unknown>, { retryMode }: BatchFacts): Disposition | undefined {
    if (retryMode === 'redelivery' || spec.faultTolerance === 'prohibited' || attempt <= retries.atMost)
      return undefined;
    const reason = `the message has had ${attempt} retries; the policy gives ${retries.atMost}`;
    return dead(new NeverRetry('RETRIES_EXHAUSTED', reason), 'MaximumRetryAttempts');
  }

  function failed({ message, progress }: Delivery<unknown>, error: RetryLater, facts: BatchFacts): Disposition {
    const { attempt, failingMs = 0 } = message;
    const verdict = retries.next(
      {
        kind: error.kind,
        attempt,
        ageSeconds: (facts.now - firstSeenAt(message, progress.envelope)) / 1000,
        failingSeconds: facts.retryMode === 'redelivery' ? failingMs / 1000 : undefined,
      },
      random,
    );
    if (verdict.again)
      return { to: 'retry', attempt: attempt + 1, delaySeconds: verdict.delaySeconds, reason: error.message };
    return dead(new NeverRetry('RETRIES_EXHAUSTED', error.message, { cause: error }), verdict.condition);
  }

  function untried(delivery: Delivery<unknown>, facts: BatchFacts): Disposition | undefined {
    const { error } = delivery.progress;
    if (error !== undefined) return dead(error);
    const over = expired(delivery, facts) ?? spent(delivery, facts);
    if (over !== undefined || !facts.isBehindBlocker) return over;
    return defer(STOPPED_WAIT, 'a record before it blocks the task', random);
  }

  function tried(delivery: Delivery<unknown>, facts: BatchFacts, outcome: Outcome): Disposition {
    switch (outcome.status) {
      case 'delivered':
        return DELIVERED;
      case 'unsent':
        return defer(NO_TIME_WAIT, 'the function had no time left', random);
      case 'never':
        return dead(outcome.error);
      case 'retry':
        return failed(delivery, outcome.error, facts);
      case 'stop':
        return stopped(delivery, outcome.error, facts);
    }
  }

  function stopped(delivery: Delivery<unknown>, cause: StopTask, facts: BatchFacts): Disposition {
    const isCharged = isChargedWithStops(delivery, facts);
    if (facts.isStopped && !isCharged)
      return { ...defer(STOPPED_WAIT, cause.message, random), isStop: facts.isOneDevice };
    // A stop among records that were not stopped is this record's failure as well: the task goes on.
    const disposition = failed(delivery, new RetryLater(cause.message, { cause }), facts);
    return disposition.to === 'retry' && isCharged ? { ...disposition, isCharged } : disposition;
  }

  return ((delivery, facts, outcome?: Outcome) =>
    outcome === undefined ? untried(delivery, facts) : tried(delivery, facts, outcome)) as DispositionOf;
}

/** The disposition of a record whose dead letter could not be stored. */
export function withoutDeadLetter(random: () => number): Extract<Disposition, { to: 'defer' }> {
  return defer(STOPPED_WAIT, 'its dead letter could not be stored', random);
}

/**
 * Why the task as a whole cannot go on, if nothing but stop errors came of a batch. Records that can never be delivered do not
 * count: most of those are refused before they reach the sink. Nor do stop errors that are charged to their message.
 *
 * @param outcomes one for each delivery
 * @param devices those whose messages met stop errors since the last delivery; it is brought up to date
 */
export function stopOf(
  sent: readonly Delivery<unknown>[],
  outcomes: readonly Outcome[],
  facts: Pick<BatchFacts, 'isProbe'>,
  devices: Set<string>,
): TaskStop | undefined {
  let cause: string | undefined;
  if (outcomes.some(({ status }) => status === 'delivered')) devices.clear();
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status === 'unsent' || outcome.status === 'never') continue;
    if (outcome.status !== 'stop') return undefined;
    const delivery = sent[i]!;
    if (isChargedWithStops(delivery, facts)) continue;
    cause ??= outcome.error.message;
    // Whether there is more than one is all that counts.
    if (devices.size < 2) devices.add(publisherOf(delivery));
  }
  return cause === undefined ? undefined : { kind: 'circuitOpen', cause, isOneDevice: devices.size === 1 };
}

/**
 * Whether a stop error is this message's own failure: in a probe the sink has just answered a connectivity test, and a message
 * that keeps meeting stop errors while the task runs is what causes them.
 */
function isChargedWithStops({ message: { stops = 0 } }: Delivery<unknown>, { isProbe }: Pick<BatchFacts, 'isProbe'>) {
  return isProbe || stops >= MAX_STOPS;
}

/** A device may use many client ids, and has one certificate. */
function publisherOf({ progress: { envelope } }: Delivery<unknown>): string {
  return envelope?.principal ?? envelope?.clientid ?? 'unknown';
}

function defer({ from, to }: typeof NO_TIME_WAIT, reason: string, random: () => number) {
  return { to: 'defer', delaySeconds: from + Math.floor(random() * (to - from + 1)), reason } as const;
}

import { NeverRetry, RetryLater } from '../core/errors.ts';
import { compileBlockingRetries, compileRetries, type ExhaustedRetryCondition } from '../core/retry.ts';
import type { TaskSpec } from '../core/spec.ts';
import type { Outcome } from '../deliver/sink.ts';
import { firstSeenAt } from './expiry.ts';
import type { Parcel } from './settlement.ts';
import type { BufferMessage } from './worker.ts';

/** Seconds, from and to, that a record waits that was not tried: the deadline came first. */
const UNSENT_WAITS = { from: 1, to: 3 };
/** The same for one that waits until somebody acts; the control function stops the task meanwhile. */
const STOPPED_WAITS = { from: 30, to: 60 };

/** Where a record goes that is not delivered. */
export type Fate =
  | { readonly to: 'retry'; readonly attempt: number; readonly delaySeconds: number; readonly reason: string }
  /** It was not tried, or may not leave: it waits with the retries that it has had. */
  | { readonly to: 'park'; readonly delaySeconds: number; readonly reason: string; readonly blocks?: string }
  | { readonly to: 'deadLetter'; readonly error: NeverRetry; readonly exhausted: ExhaustedRetryCondition }
  | { readonly to: 'drop' };

export type Undelivered = Exclude<Outcome, { status: 'delivered' }>;

export interface Fates {
  of(outcome: Undelivered, parcel: Pick<Parcel<unknown>, 'message' | 'at'>, now: number): Fate;
  /** A record that is to be dead-lettered whatever the sink would say; where faults are prohibited it blocks instead. */
  ofDead(error: NeverRetry, exhausted?: ExhaustedRetryCondition): Fate;
  /** A record whose dead letter could not be stored. */
  ofUnstored(): Fate;
  /** A record that waits behind one that blocks the way. */
  ofHeld(): Fate;
  /** Undefined unless the message has had more retries than the policy gives; then it is not tried, unless it would block. */
  ofSpent(message: BufferMessage): Fate | undefined;
}

/** What the task's retry policy and fault tolerance make of a failure (rows D18, E5). `random` gives 0 to 1, 1 excluded. */
export function compileFates(
  spec: Pick<TaskSpec, 'buffer' | 'retryPolicy' | 'faultTolerance' | 'onExhausted' | 'poison'>,
  random: () => number,
): Fates {
  const retries = compileRetries(spec.retryPolicy);
  const blocking = spec.buffer.type === 'stream' ? compileBlockingRetries(spec.retryPolicy) : undefined;
  const waitOf = ({ from, to }: typeof UNSENT_WAITS) => from + Math.floor(random() * (to - from + 1));
  const park = (waits: typeof UNSENT_WAITS, reason: string): Fate => ({
    to: 'park',
    delaySeconds: waitOf(waits),
    reason,
  });

  function ofDead(error: NeverRetry, exhausted: ExhaustedRetryCondition = 'None'): Fate {
    const isExhausted = error.code === 'RETRIES_EXHAUSTED';
    if (spec.faultTolerance === 'prohibited' && (isExhausted || spec.poison === 'block')) {
      const cause = `${error.code}: ${error.message}`;
      return { to: 'park', delaySeconds: waitOf(STOPPED_WAITS), reason: cause, blocks: cause };
    }
    if (isExhausted && spec.onExhausted === 'drop') return { to: 'drop' };
    return { to: 'deadLetter', error, exhausted };
  }

  return {
    ofDead,
    ofHeld: () => park(STOPPED_WAITS, 'one before it blocks the way'),
    ofUnstored: () => park(STOPPED_WAITS, 'its dead letter could not be stored'),
    ofSpent({ attempt }) {
      // One that blocked is tried whenever its operator says so, however often that is.
      if (blocking !== undefined || spec.faultTolerance === 'prohibited' || attempt <= retries.atMost) return undefined;
      const reason = `it has had ${attempt} retries; the policy gives ${retries.atMost}`;
      return ofDead(new NeverRetry('RETRIES_EXHAUSTED', reason), 'MaximumRetryAttempts');
    },
    of(outcome, { message, at }, now) {
      if (outcome.status === 'unsent') return park(UNSENT_WAITS, 'the function’s time was over');
      if (outcome.status === 'stop') return park(STOPPED_WAITS, outcome.error.message);
      if (outcome.status === 'never') return ofDead(outcome.error);
      const { error } = outcome;
      const { kind } = error;
      const { attempt, failingMs = 0 } = message;
      const ageSeconds = (now - firstSeenAt(message, at.envelope)) / 1000;
      const verdict =
        blocking?.next({ kind, attempt, ageSeconds, failingSeconds: failingMs / 1000 }) ??
        retries.next({ kind, attempt, ageSeconds }, random);
      if (verdict.again)
        return { to: 'retry', attempt: attempt + 1, delaySeconds: verdict.delaySeconds, reason: error.message };
      return ofDead(new NeverRetry('RETRIES_EXHAUSTED', error.message, { cause: error }), verdict.condition);
    },
  };
}

/** Turns what stopped one record among others that were not stopped into a failure that counts: the task as a whole goes on. */
export function asPassing(outcome: Outcome): Outcome {
  if (outcome.status !== 'stop') return outcome;
  return { status: 'retry', error: new RetryLater(outcome.error.message, { cause: outcome.error }) };
}

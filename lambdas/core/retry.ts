import * as z from 'zod';
import type { FailureKind } from './errors.ts';

/** SQS delays a message by 900 seconds at most. */
export const MAX_DELAY_SECONDS = 900;
/** More retries than this are a loop, not a policy. */
export const MAX_RETRIES = 1_000;

/** So many retries, each after a whole number of seconds from `minSeconds` to `maxSeconds`, chosen at random. */
export const retryStep = z
  .strictObject({
    times: z.int().min(1).max(MAX_RETRIES),
    minSeconds: z.int().min(0).max(MAX_DELAY_SECONDS),
    maxSeconds: z.int().min(0).max(MAX_DELAY_SECONDS),
  })
  .refine(({ minSeconds, maxSeconds }) => minSeconds <= maxSeconds, 'minSeconds no greater than maxSeconds');

export const FAILURE_KINDS = ['throttled', 'timeout', 'unavailable'] as const satisfies readonly FailureKind[];

const customPolicy = z.strictObject({
  /** When again; the retries of all steps together are when to stop. */
  steps: z
    .array(retryStep)
    .refine((steps) => retriesOf(steps) <= MAX_RETRIES, `at most ${MAX_RETRIES} retries, all steps together`),
  /** Which failures. */
  on: z
    .array(z.enum(FAILURE_KINDS))
    .min(1)
    .default([...FAILURE_KINDS]),
  /** No retry later than so long after the message was first seen. */
  maximumAgeSeconds: z.int().min(1).optional(),
});

/** Row D18: a policy by its name, or one of the user's own. */
export const retryPolicy = z.union([z.enum(['backoff', 'exponential-decay']), customPolicy]);

export type RetryStep = z.output<typeof retryStep>;
export type RetryPolicySpec = z.output<typeof retryPolicy>;
export type CustomRetryPolicy = z.output<typeof customPolicy>;

const every = (seconds: number, times = 1): RetryStep => ({ times, minSeconds: seconds, maxSeconds: seconds });

/** The schedules of Alibaba Cloud EventBridge ("Retry policies and dead-letter queues"). */
const NAMED: Readonly<Record<'backoff' | 'exponential-decay', CustomRetryPolicy>> = {
  backoff: { steps: [{ times: 3, minSeconds: 10, maxSeconds: 20 }], on: [...FAILURE_KINDS] },
  'exponential-decay': {
    steps: [...[1, 2, 4, 8, 16, 32, 64, 128, 256].map((seconds) => every(seconds)), every(512, 167)],
    on: [...FAILURE_KINDS],
  },
};

/** Why the retries of a message ended, as EventBridge tells it; `None` when it was not worth one. */
export type ExhaustedRetryCondition = 'None' | 'MaximumRetryAttempts' | 'MaximumEventAgeInSeconds';

export type RetryVerdict =
  | { readonly again: true; readonly delaySeconds: number }
  | { readonly again: false; readonly condition: ExhaustedRetryCondition };

export interface Failure {
  readonly kind: FailureKind;
  /** Retries that the message has had. */
  readonly attempt: number;
  /** Time since it was first seen. */
  readonly ageSeconds: number;
}

/** A retry policy that can be asked. */
export interface Retries {
  /** How many retries there are at most. */
  readonly atMost: number;
  /** Whether a message that failed is tried again, and when. `random` gives 0 to 1, 1 excluded. */
  next(failure: Failure, random: () => number): RetryVerdict;
}

export function compileRetries(policy: RetryPolicySpec): Retries {
  const { steps, on, maximumAgeSeconds = Infinity } = typeof policy === 'string' ? NAMED[policy] : policy;
  const atMost = retriesOf(steps);
  return {
    atMost,
    next({ kind, attempt, ageSeconds }, random) {
      if (!on.includes(kind)) return { again: false, condition: 'None' };
      const step = stepAt(steps, attempt);
      if (step === undefined) return { again: false, condition: 'MaximumRetryAttempts' };
      const choices = step.maxSeconds - step.minSeconds + 1;
      const delaySeconds = step.minSeconds + Math.floor(random() * choices);
      if (ageSeconds + delaySeconds > maximumAgeSeconds) return { again: false, condition: 'MaximumEventAgeInSeconds' };
      return { again: true, delaySeconds };
    },
  };
}

/**
 * The same policy where the buffer repeats a failing record at a pace of its own: the retries are over once there were as many
 * and the time is that they could have taken, which is never too early.
 */
export function compileBlockingRetries(policy: RetryPolicySpec): {
  next(failure: Failure & { readonly failingSeconds: number }): RetryVerdict;
} {
  const { steps, on, maximumAgeSeconds = Infinity } = typeof policy === 'string' ? NAMED[policy] : policy;
  const atMost = retriesOf(steps);
  const totalSeconds = steps.reduce((sum, { times, maxSeconds }) => sum + times * maxSeconds, 0);
  return {
    next({ kind, attempt, ageSeconds, failingSeconds }) {
      if (!on.includes(kind)) return { again: false, condition: 'None' };
      if (attempt >= atMost && failingSeconds >= totalSeconds)
        return { again: false, condition: 'MaximumRetryAttempts' };
      if (ageSeconds > maximumAgeSeconds) return { again: false, condition: 'MaximumEventAgeInSeconds' };
      return { again: true, delaySeconds: 0 };
    },
  };
}

function retriesOf(steps: readonly RetryStep[]): number {
  return steps.reduce((sum, { times }) => sum + times, 0);
}

function stepAt(steps: readonly RetryStep[], attempt: number): RetryStep | undefined {
  let before = attempt;
  return steps.find(({ times }) => {
    if (before < times) return true;
    before -= times;
    return false;
  });
}

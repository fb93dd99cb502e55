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
  /**
   * How long the message has failed, where its event source redelivers it at intervals that this policy does not choose. Its
   * retries are then over once it has had as many, and has failed for as long, as the policy allows: never too early.
   *
   * @default - each retry starts after the delay that the policy gives
   */
  readonly failingSeconds?: number | undefined;
}

/** A compiled retry policy. */
export interface Retries {
  /** Number of retries. */
  readonly atMost: number;
  /** Whether a message that failed is tried again, and after how long. `random` gives 0 to 1, 1 excluded. */
  next(failure: Failure, random: () => number): RetryVerdict;
}

export function compileRetries(policy: RetryPolicySpec): Retries {
  const { steps, on, maximumAgeSeconds = Infinity } = typeof policy === 'string' ? NAMED[policy] : policy;
  const atMost = retriesOf(steps);
  const totalSeconds = steps.reduce((sum, { times, maxSeconds }) => sum + times * maxSeconds, 0);
  return {
    atMost,
    next({ kind, attempt, ageSeconds, failingSeconds }, random) {
      if (!on.includes(kind)) return { again: false, condition: 'None' };
      const isRedelivered = failingSeconds !== undefined;
      if (attempt >= atMost && (!isRedelivered || failingSeconds >= totalSeconds))
        return { again: false, condition: 'MaximumRetryAttempts' };
      const delaySeconds = isRedelivered ? 0 : delayOf(stepAt(steps, attempt), random);
      if (ageSeconds + delaySeconds > maximumAgeSeconds) return { again: false, condition: 'MaximumEventAgeInSeconds' };
      return { again: true, delaySeconds };
    },
  };
}

function delayOf({ minSeconds, maxSeconds }: RetryStep, random: () => number): number {
  return minSeconds + Math.floor(random() * (maxSeconds - minSeconds + 1));
}

function retriesOf(steps: readonly RetryStep[]): number {
  return steps.reduce((sum, { times }) => sum + times, 0);
}

/** The step that a retry belongs to. `attempt` is less than the number of retries. */
function stepAt(steps: readonly RetryStep[], attempt: number): RetryStep {
  let before = attempt;
  return steps.find(({ times }) => {
    if (before < times) return true;
    before -= times;
    return false;
  })!;
}

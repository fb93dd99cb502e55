import * as z from 'zod';
import type { FailureKind } from './errors.ts';

/** The longest delay of a message in Amazon SQS. */
export const MAX_DELAY_SECONDS = 900;
/** Upper bound of a policy's retries, which keeps a mistake from retrying for ever. */
export const MAX_RETRIES = 1_000;

/** A number of retries (`times`), each after a random whole number of seconds from `minSeconds` to `maxSeconds`. */
export const retryStep = z
  .strictObject({
    times: z.int().min(1).max(MAX_RETRIES),
    minSeconds: z.int().min(0).max(MAX_DELAY_SECONDS),
    maxSeconds: z.int().min(0).max(MAX_DELAY_SECONDS),
  })
  .refine(({ minSeconds, maxSeconds }) => minSeconds <= maxSeconds, 'minSeconds no greater than maxSeconds');

export const FAILURE_KINDS = ['throttled', 'timeout', 'unavailable'] as const satisfies readonly FailureKind[];

const customPolicy = z.strictObject({
  /** The delays of the retries. A message has as many retries as the steps have together. */
  steps: z
    .array(retryStep)
    .refine((steps) => retriesOf(steps) <= MAX_RETRIES, `at most ${MAX_RETRIES} retries, all steps together`),
  /** The kinds of failure that are retried. @default - all */
  on: z
    .array(z.enum(FAILURE_KINDS))
    .min(1)
    .default([...FAILURE_KINDS]),
  /** Age of a message, since it was first seen, after which it has no more retries. @default - no limit */
  maximumAgeSeconds: z.int().min(1).optional(),
});

/** A retry policy: the name of a predefined one, or a custom one. */
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

/** Why the retries of a message ended, in EventBridge's words. `None` means that the failure is not retried. */
export type ExhaustedRetryCondition = 'None' | 'MaximumRetryAttempts' | 'MaximumEventAgeInSeconds';

export type RetryVerdict =
  | { readonly again: true; readonly delaySeconds: number }
  | { readonly again: false; readonly condition: ExhaustedRetryCondition };

export interface Failure {
  readonly kind: FailureKind;
  /** Number of retries that the message has had. */
  readonly attempt: number;
  /** Time since the message was first seen. */
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
  /** The policy's number of retries. */
  readonly atMost: number;
  /**
   * Decides whether a failed message is retried, and after which delay.
   *
   * @param random Returns a number from 0 up to, but not including, 1, such as `Math.random`.
   */
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

import type { Duration } from 'aws-cdk-lib';
import { described, type FailureKind, InvalidOptionError } from '../lambdas/core/errors.ts';
import { CDK_TOKEN } from './tokens.ts';

/** One step of a {@link RetryPolicy}: so many retries, each after the same delay or after a random one. */
export interface RetryStep {
  /**
   * How many retries.
   *
   * @default 1
   */
  readonly times?: number;
  /** How long after the failure, in whole seconds up to 15 minutes. */
  readonly delay: Duration;
  /**
   * The delay is random, from `delay` to this.
   *
   * @default - always `delay`
   */
  readonly upTo?: Duration;
}

export interface CustomRetryPolicyProps {
  /** When again; the retries of all steps together are when to stop, 1,000 at most. None: a failure is final. */
  readonly steps: readonly RetryStep[];
  /**
   * Which failures are worth a retry. A send that timed out may have been stored: leave `timeout` out where a duplicate is
   * worse than a dead letter.
   *
   * @default - all of them: 'throttled', 'timeout', 'unavailable'
   */
  readonly on?: readonly FailureKind[];
  /**
   * No retry later than so long after the message was first seen.
   *
   * @default - as long as there are retries left
   */
  readonly maximumAge?: Duration;
}

/** Which failures are tried again, when, and when to stop (row D18; Alibaba Cloud EventBridge, "Retry policies and dead-letter queues"). */
export class RetryPolicy {
  /** Three retries, each after a random 10 to 20 seconds. */
  static backoff(): RetryPolicy {
    return new RetryPolicy(() => 'backoff');
  }

  /** 176 retries in a day: after 1, 2, 4 … 256 seconds, then every 512. */
  static exponentialDecay(): RetryPolicy {
    return new RetryPolicy(() => 'exponential-decay');
  }

  /** No retry: a failure is final. */
  static none(): RetryPolicy {
    return RetryPolicy.custom({ steps: [] });
  }

  /** A schedule of one's own. */
  static custom(props: CustomRetryPolicyProps): RetryPolicy {
    return new RetryPolicy((option) => ({
      steps: props.steps.map(({ times = 1, delay, upTo = delay }, i) => ({
        times,
        minSeconds: wholeSeconds(delay, `${option}.steps.${i}.delay`),
        maxSeconds: wholeSeconds(upTo, `${option}.steps.${i}.upTo`),
      })),
      ...(props.on !== undefined && { on: [...props.on] }),
      ...(props.maximumAge !== undefined && {
        maximumAgeSeconds: wholeSeconds(props.maximumAge, `${option}.maximumAge`),
      }),
    }));
  }

  /** The policy as the spec has it. @throws InvalidOptionError for a duration that is not whole seconds. */
  readonly toSpec: (option: string) => unknown;

  private constructor(toSpec: (option: string) => unknown) {
    this.toSpec = toSpec;
  }
}

/** A duration in whole seconds. @throws InvalidOptionError when it is a token, or has a fraction. */
export function wholeSeconds(duration: Duration, option: string): number {
  if (duration.isUnresolved()) throw new InvalidOptionError(option, CDK_TOKEN, 'a Duration known at synth');
  const seconds = duration.toSeconds({ integral: false });
  if (!Number.isInteger(seconds)) throw new InvalidOptionError(option, described(`${seconds} s`), 'whole seconds');
  return seconds;
}

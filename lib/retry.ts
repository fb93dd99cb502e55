import type { Duration } from 'aws-cdk-lib';
import type { FailureKind } from '../lambdas/core/errors.ts';
import { checkProps, DURATION, listOf, NUMBER, OBJECT, type OptionTypes, required, STRING } from './props.ts';
import { wholeSeconds } from './whole-seconds.ts';

/** One step of a {@link RetryPolicy}: a number of retries, each after a fixed or a random delay. */
export interface RetryStep {
  /**
   * Number of retries, at least 1.
   *
   * @default 1
   */
  readonly times?: number;
  /** Time from the failure to the retry: 0 seconds to 15 minutes, in whole seconds. */
  readonly delay: Duration;
  /**
   * Upper bound of a random delay, in whole seconds; `delay` is the lower bound.
   *
   * @default - the delay is always `delay`
   */
  readonly upTo?: Duration;
}

export interface CustomRetryPolicyProps {
  /** The retries in their order, at most 1,000 in all steps together. Without a step, a message is not retried. */
  readonly steps: readonly RetryStep[];
  /**
   * Kinds of failures that are retried. A delivery that timed out may have succeeded: leave `timeout` out if a duplicate is worse
   * than a dead letter.
   *
   * @default - all: 'throttled', 'timeout', 'unavailable'
   */
  readonly on?: readonly FailureKind[];
  /**
   * Time from the first attempt after which a message is not retried, in whole seconds.
   *
   * @default - no limit
   */
  readonly maximumAge?: Duration;
}

/** Which failed deliveries are retried, when, and how often (Alibaba Cloud EventBridge, "Retry policies and dead-letter queues"). */
export class RetryPolicy {
  /** 3 retries, each after a random 10 to 20 seconds. */
  static backoff(): RetryPolicy {
    return new RetryPolicy(() => 'backoff');
  }

  /** 176 retries in a day: after 1 second, doubled up to 512 seconds, then every 512 seconds. */
  static exponentialDecay(): RetryPolicy {
    return new RetryPolicy(() => 'exponential-decay');
  }

  /** No retries. */
  static none(): RetryPolicy {
    return RetryPolicy.custom({ steps: [] });
  }

  /** The retries that the steps list. */
  static custom(props: CustomRetryPolicyProps): RetryPolicy {
    return new RetryPolicy((option) => {
      checkProps(option, props, CUSTOM);
      for (const [i, step] of props.steps.entries()) checkProps(`${option}.steps.${i}`, step, STEP);
      return customSpec(option, props);
    });
  }

  /** The policy in the spec. @throws InvalidOptionError for a duration that is not whole seconds. */
  readonly toSpec: (option: string) => unknown;

  private constructor(toSpec: (option: string) => unknown) {
    this.toSpec = toSpec;
  }
}

const CUSTOM: OptionTypes<CustomRetryPolicyProps> = {
  steps: required(listOf(OBJECT)),
  on: listOf(STRING),
  maximumAge: DURATION,
};
const STEP: OptionTypes<RetryStep> = { times: NUMBER, delay: required(DURATION), upTo: DURATION };

function customSpec(option: string, props: CustomRetryPolicyProps): object {
  return {
    steps: props.steps.map(({ times = 1, delay, upTo = delay }, i) => ({
      times,
      minSeconds: wholeSeconds(delay, `${option}.steps.${i}.delay`),
      maxSeconds: wholeSeconds(upTo, `${option}.steps.${i}.upTo`),
    })),
    ...(props.on !== undefined && { on: [...props.on] }),
    ...(props.maximumAge !== undefined && {
      maximumAgeSeconds: wholeSeconds(props.maximumAge, `${option}.maximumAge`),
    }),
  };
}

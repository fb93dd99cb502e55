import { NeverRetry, RetryLater, StopTask } from '../core/errors.ts';
import type { Outcome } from './sink.ts';

/** Any outcome but `delivered`. */
export type Failure = Exclude<Outcome, { status: 'delivered' }>;

/** The outcome of a request that failed with this error. @throws any other error. */
export function failure(error: unknown): Failure {
  if (error instanceof RetryLater) return { status: 'retry', error };
  if (error instanceof NeverRetry) return { status: 'never', error };
  if (error instanceof StopTask) return { status: 'stop', error };
  throw error;
}

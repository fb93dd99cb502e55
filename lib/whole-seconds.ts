import type { Duration } from 'aws-cdk-lib';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { CDK_TOKEN } from './tokens.ts';

/** A duration in seconds. @throws InvalidOptionError for a token, and for a fraction of a second. */
export function wholeSeconds(duration: Duration, option: string): number {
  if (duration.isUnresolved()) throw new InvalidOptionError(option, CDK_TOKEN, 'a Duration known at synth');
  const seconds = duration.toSeconds({ integral: false });
  if (!Number.isInteger(seconds)) throw new InvalidOptionError(option, described(`${seconds} s`), 'whole seconds');
  return seconds;
}

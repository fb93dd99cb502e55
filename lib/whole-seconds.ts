import type { Duration } from 'aws-cdk-lib';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { checkOption, DURATION, required } from './props.ts';
import { CDK_TOKEN } from './tokens.ts';

/** A duration in seconds. @throws InvalidOptionError for another value, a token, and a fraction of a second. */
export function wholeSeconds(duration: Duration, option: string): number {
  checkOption(option, duration, required(DURATION));
  if (duration.isUnresolved()) throw new InvalidOptionError(option, CDK_TOKEN, 'a Duration known at synth');
  const seconds = duration.toSeconds({ integral: false });
  if (!Number.isInteger(seconds))
    throw new InvalidOptionError(option, described(`${seconds} seconds`), 'whole seconds');
  return seconds;
}

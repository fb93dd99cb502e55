import { InvalidOptionError } from '../../../lambdas/core/errors.ts';

/** @throws InvalidOptionError unless the value is a whole number from `min` to `max`. */
export function checkWholeNumber(option: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new InvalidOptionError(option, value, `a whole number from ${min} to ${max}`);
}

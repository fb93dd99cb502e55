import { described, InvalidOptionError } from '../lambdas/core/errors.ts';

/**
 * What to use in place of options that do not exist: EMQX's names for options that Outflow calls otherwise or cannot have. Each
 * expression is matched against the name in lower case without `_`, `.` and `-`; the first that matches counts.
 */
export type OptionAdvice = readonly (readonly [name: RegExp, instead: string])[];

/** The advice for an option; undefined if there is none. */
export function insteadOf(option: string, advice: OptionAdvice): string | undefined {
  const name = option.toLowerCase().replace(/[^a-z0-9]/g, '');
  return advice.find(([pattern]) => pattern.test(name))?.[1];
}

/**
 * Refuses properties that are not among the options. The error does not show the value, which may be a password.
 *
 * @param path Path of the options, for errors.
 * @throws InvalidOptionError
 */
export function refuseUnknown(path: string, props: object, options: readonly string[], advice: OptionAdvice): void {
  const unknown = Object.keys(props).find((name) => !options.includes(name));
  if (unknown === undefined) return;
  const expected = insteadOf(unknown, advice) ?? `one of ${options.join(', ')}`;
  throw new InvalidOptionError(`${path}.${unknown}`, described('an unknown option'), expected);
}
